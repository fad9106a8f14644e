{{/* What must hold between values; each failure says the arithmetic and the fix. */}}
{{- define "inventory-api.check" -}}
{{- include "inventory-api.checkShutdown" . }}
{{- include "inventory-api.checkConnections" . }}
{{- include "inventory-api.checkCredentials" . }}
{{- include "inventory-api.checkExtraEnv" . }}
{{- end }}

{{- define "inventory-api.checkShutdown" -}}
{{- if lt (int .Values.drain.timeout) (int .Values.requestDeadline) }}
{{- printf "\nshutdown time: drain.timeout %d < requestDeadline %d, so a drain would cut requests short\nfix: drain.timeout: %d or more" (int .Values.drain.timeout) (int .Values.requestDeadline) (int .Values.requestDeadline) | fail }}
{{- end }}
{{- $graceful := add .Values.drain.delay .Values.drain.timeout 3 3 3 1 | int }}
{{- $needed := add .Values.preStopSleepSeconds $graceful 5 | int }}
{{- $grace := int .Values.terminationGracePeriodSeconds }}
{{- if gt $needed $grace }}
{{- printf "\nshutdown time: preStopSleepSeconds %d + gunicorn's graceful_timeout %d (drain.delay %d + drain.timeout %d + tasks 3 + pools 3 + spans 3 + 1) + margin 5 = %d > terminationGracePeriodSeconds %d\nfix: terminationGracePeriodSeconds: %d or more, or a shorter drain"
    (int .Values.preStopSleepSeconds) $graceful (int .Values.drain.delay) (int .Values.drain.timeout) $needed $grace $needed | fail }}
{{- end }}
{{- end }}

{{/*
Connections at the worst moment of a rollout: all replicas are new, one surges, and as many old ones still drain with
full pools. Each server worker has its pool and one connection for readiness; two are for migrations.
*/}}
{{- define "inventory-api.connectionsNeeded" -}}
{{- add (mul (add .Values.replicaCount 1 .Values.replicaCount) .Values.serverWorkers (add .Values.database.pool.max 1)) 2 }}
{{- end }}

{{- define "inventory-api.connectionsAvailable" -}}
{{- sub .Values.database.maxConnections .Values.database.reservedConnections }}
{{- end }}

{{- define "inventory-api.connectionArithmetic" -}}
{{- $needed := include "inventory-api.connectionsNeeded" . | int }}
{{- $available := include "inventory-api.connectionsAvailable" . | int }}
{{- $replicas := int .Values.replicaCount }}
{{- printf "(replicaCount %d + surge 1 + terminating %d) x serverWorkers %d x (database.pool.max %d + readiness 1) + migration 2 = %d %s %d = database.maxConnections %d - database.reservedConnections %d"
    $replicas $replicas (int .Values.serverWorkers) (int .Values.database.pool.max)
    $needed (ternary ">" "<=" (gt $needed $available)) $available (int .Values.database.maxConnections) (int .Values.database.reservedConnections) }}
{{- end }}

{{- define "inventory-api.checkConnections" -}}
{{- $needed := include "inventory-api.connectionsNeeded" . | int }}
{{- if gt $needed (include "inventory-api.connectionsAvailable" . | int) }}
{{- printf "\nconnection budget: %s\nfix: database.maxConnections: %d or more (and the server's own max_connections), or a smaller pool, fewer replicas or server workers"
    (include "inventory-api.connectionArithmetic" .) (add $needed .Values.database.reservedConnections) | fail }}
{{- end }}
{{- end }}

{{- define "inventory-api.checkCredentials" -}}
{{- range $name, $part := dict "database" .Values.database "redis" .Values.redis }}
{{- if not $part.existingSecret }}
{{- if not $part.bundled.enabled }}
{{- printf "\n%s: the bundled server is off and there is no Secret with the address of another\nfix: %s.existingSecret: the name of a Secret with the key `url`, or %s.bundled.enabled: true" $name $name $name | fail }}
{{- else if not $.Values.credentials.generate }}
{{- printf "\n%s: credentials.generate is off and there is no Secret with its credentials\nfix: %s.existingSecret: the name of a Secret with the keys `url` and `%s`, or credentials.generate: true"
    $name $name (ternary "password" "valkey.conf" (eq $name "database")) | fail }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.database.directUrl (not .Values.database.existingSecret) }}
{{- fail "\ndatabase: directUrl is on, but the Secret that the chart makes has no `direct-url`\nfix: database.existingSecret: the name of a Secret that has it, or database.directUrl: false" }}
{{- end }}
{{- if not (or .Values.apiKeys.existingSecret .Values.credentials.generate) }}
{{- fail "\napiKeys: credentials.generate is off and there is no Secret with the keys\nfix: apiKeys.existingSecret: the name of a Secret with the key `keys.json`, or credentials.generate: true" }}
{{- end }}
{{- end }}

{{- define "inventory-api.checkExtraEnv" -}}
{{- $owners := dict
    "INVENTORY_DATABASE_URL_FILE" "database.existingSecret" "INVENTORY_DATABASE_URL" "database.existingSecret"
    "INVENTORY_DATABASE_DIRECT_URL_FILE" "database.directUrl" "INVENTORY_DATABASE_DIRECT_URL" "database.directUrl"
    "INVENTORY_REDIS_URL_FILE" "redis.existingSecret" "INVENTORY_REDIS_URL" "redis.existingSecret"
    "INVENTORY_API_KEYS_FILE" "apiKeys.existingSecret" "INVENTORY_WORKERS" "serverWorkers" "INVENTORY_POOL_MAX" "database.pool.max"
    "INVENTORY_REQUEST_DEADLINE" "requestDeadline" "INVENTORY_DRAIN_DELAY" "drain.delay" "INVENTORY_DRAIN_TIMEOUT" "drain.timeout" "INVENTORY_LOG_LEVEL" "logLevel"
    "INVENTORY_PORT" "" "INVENTORY_MANAGEMENT_PORT" ""
    "OTEL_EXPORTER_OTLP_ENDPOINT" "otlp.endpoint" "OTEL_TRACES_SAMPLER" "otlp.samplingRatio" "OTEL_TRACES_SAMPLER_ARG" "otlp.samplingRatio"
    "OTEL_RESOURCE_ATTRIBUTES" "" "POD_NAME" "" "POD_UID" "" "NODE_NAME" "" }}
{{- range .Values.extraEnv }}
{{- if hasKey $owners .name }}
{{- $owner := get $owners .name }}
{{- printf "\nextraEnv: %s is set by the chart\nfix: %s" .name (ternary (printf "use the value %s" $owner) "leave it out" (ne $owner "")) | fail }}
{{- end }}
{{- end }}
{{- end }}

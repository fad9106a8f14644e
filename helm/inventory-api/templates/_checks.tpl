{{/* What must hold between values; each failure says the arithmetic and the fix. */}}
{{- define "inventory-api.check" -}}
{{- include "inventory-api.checkShutdown" . }}
{{- include "inventory-api.checkConnections" . }}
{{- include "inventory-api.checkMemory" . }}
{{- include "inventory-api.checkCredentials" . }}
{{- include "inventory-api.checkReplicas" . }}
{{- include "inventory-api.checkDisruption" . }}
{{- include "inventory-api.checkMigrations" . }}
{{- include "inventory-api.checkStorage" . }}
{{- include "inventory-api.checkNetwork" . }}
{{- include "inventory-api.checkAccess" . }}
{{- include "inventory-api.checkMetrics" . }}
{{- include "inventory-api.checkLabels" . }}
{{- include "inventory-api.checkExtraEnv" . }}
{{- end }}

{{- define "inventory-api.checkShutdown" -}}
{{- if lt (int .Values.drain.timeout) (int .Values.requestDeadline) }}
{{- printf "\nshutdown time: drain.timeout %d < requestDeadline %d, so a drain would cut requests short\nfix: drain.timeout: %d or more" (int .Values.drain.timeout) (int .Values.requestDeadline) (int .Values.requestDeadline) | fail }}
{{- end }}
{{- if and .Values.storage.url (gt (int .Values.storage.uploadDeadline) (int .Values.drain.timeout)) }}
{{- printf "\nshutdown time: storage.uploadDeadline %d > drain.timeout %d, so a drain would cut uploads short\nfix: drain.timeout: %d or more, or a shorter storage.uploadDeadline" (int .Values.storage.uploadDeadline) (int .Values.drain.timeout) (int .Values.storage.uploadDeadline) | fail }}
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
full pools. Each server worker has its pool and one connection for readiness; each queue worker has one for each job that
it does at once, and four; two are for migrations.
*/}}
{{- define "inventory-api.connectionsNeeded" -}}
{{- $replicas := include "inventory-api.maxReplicas" . | int }}
{{- $workers := include "inventory-api.maxWorkers" . | int }}
{{- $ofWorkers := ternary (mul (add $workers 1 $workers) (add .Values.worker.concurrency 4)) 0 .Values.worker.enabled }}
{{- add (mul (add $replicas 1 $replicas) .Values.serverWorkers (add .Values.database.pool.max 1)) $ofWorkers 2 }}
{{- end }}

{{- define "inventory-api.maxWorkers" -}}
{{- with .Values.worker }}
{{- ternary .keda.maxReplicas .replicaCount .keda.enabled }}
{{- end }}
{{- end }}

{{- define "inventory-api.maxReplicas" -}}
{{ ternary .Values.autoscaling.maxReplicas .Values.replicaCount .Values.autoscaling.enabled }}
{{- end }}

{{- define "inventory-api.minReplicas" -}}
{{ ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled }}
{{- end }}

{{- define "inventory-api.connectionsAvailable" -}}
{{- sub .Values.database.maxConnections .Values.database.reservedConnections }}
{{- end }}

{{- define "inventory-api.connectionArithmetic" -}}
{{- $needed := include "inventory-api.connectionsNeeded" . | int }}
{{- $available := include "inventory-api.connectionsAvailable" . | int }}
{{- $replicas := include "inventory-api.maxReplicas" . | int }}
{{- $workers := include "inventory-api.maxWorkers" . | int }}
{{- $ofWorkers := "" }}
{{- if .Values.worker.enabled }}
{{- $ofWorkers = printf "(%s %d + surge 1 + terminating %d) x (worker.concurrency %d + 4) + "
    (ternary "worker.keda.maxReplicas" "worker.replicaCount" .Values.worker.keda.enabled) $workers $workers (int .Values.worker.concurrency) }}
{{- end }}
{{- printf "(%s %d + surge 1 + terminating %d) x serverWorkers %d x (database.pool.max %d + readiness 1) + %smigration 2 = %d %s %d = database.maxConnections %d - database.reservedConnections %d"
    (ternary "autoscaling.maxReplicas" "replicaCount" .Values.autoscaling.enabled) $replicas $replicas (int .Values.serverWorkers) (int .Values.database.pool.max)
    $ofWorkers $needed (ternary ">" "<=" (gt $needed $available)) $available (int .Values.database.maxConnections) (int .Values.database.reservedConnections) }}
{{- end }}

{{- define "inventory-api.checkConnections" -}}
{{- $needed := include "inventory-api.connectionsNeeded" . | int }}
{{- if gt $needed (include "inventory-api.connectionsAvailable" . | int) }}
{{- printf "\nconnection budget: %s\nfix: database.maxConnections: %d or more (and the server's own max_connections), or a smaller pool, fewer replicas, server workers or jobs at once"
    (include "inventory-api.connectionArithmetic" .) (add $needed .Values.database.reservedConnections) | fail }}
{{- end }}
{{- end }}

{{/* What a server worker holds was measured (docs/install.md, Size); as much again is for its requests and for uploads. */}}
{{- define "inventory-api.checkMemory" -}}
{{- $parts := list
    (dict "value" "resources" "resources" .Values.resources)
    (dict "value" "worker.resources" "resources" .Values.worker.resources)
    (dict "value" "migrations.resources" "resources" .Values.migrations.resources)
    (dict "value" "database.bundled.resources" "resources" .Values.database.bundled.resources)
    (dict "value" "redis.bundled.resources" "resources" .Values.redis.bundled.resources) }}
{{- range $parts }}
{{- $value := .value }}
{{- $limits := .resources.limits | default dict }}
{{- range $resource, $requested := .resources.requests }}
{{- $limit := get $limits $resource }}
{{- if and (ne (toString $limit) "") (gt (include "inventory-api.amount" $requested | float64) (include "inventory-api.amount" $limit | float64)) }}
{{- printf "\n%s: requests.%s %v > limits.%s %v, which Kubernetes refuses\nfix: %s.limits.%s: %v or more" $value $resource $requested $resource $limit $value $resource $requested | fail }}
{{- end }}
{{- end }}
{{- end }}
{{- with dig "limits" "memory" "" .Values.resources }}
{{- /* The client of S3 is 38 MiB. */ -}}
{{- $each := ternary 104 64 (hasPrefix "s3://" $.Values.storage.url) }}
{{- $needed := add 64 (mul $each $.Values.serverWorkers) | int }}
{{- if lt (include "inventory-api.amount" . | float64) (mulf $needed 1048576) }}
{{- printf "\nmemory: 64Mi + serverWorkers %d x %dMi = %dMi > resources.limits.memory %v, so that pods would be ended by the kernel\nfix: resources.limits.memory: %dMi or more, or fewer server workers" (int $.Values.serverWorkers) $each $needed . $needed | fail }}
{{- end }}
{{- end }}
{{- if .Values.redis.bundled.enabled }}
{{- with dig "limits" "memory" "" .Values.redis.bundled.resources }}
{{- $cache := include "inventory-api.amount" $.Values.redis.bundled.maxMemory | float64 }}
{{- $needed := divf (addf (mulf $cache 1.25) 16777216) 1048576 | ceil | int }}
{{- if lt (include "inventory-api.amount" . | float64) (mulf $needed 1048576) }}
{{- printf "\nmemory: redis.bundled.maxMemory %s x 1.25 + 16Mi = %dMi > redis.bundled.resources.limits.memory %v, so that the server would be ended by the kernel before it evicts\nfix: redis.bundled.resources.limits.memory: %dMi or more, or a smaller maxMemory" $.Values.redis.bundled.maxMemory $needed . $needed | fail }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Of a quantity of Kubernetes (512Mi, 100m, 1.5) or of Valkey (64mb): bytes, or cores. */}}
{{- define "inventory-api.amount" -}}
{{- $factors := dict "" 1 "n" 1e-9 "u" 1e-6 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18
    "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 "Ei" 1152921504606846976
    "kb" 1024 "mb" 1048576 "gb" 1073741824 }}
{{- /* Helm makes a float of a number in a file, and 5.36870912e+08 of that as text. */}}
{{- $number := "^[0-9.]+([eE][+-]?[0-9]+)?" }}
{{- $text := toString . }}
{{- mulf (regexFind $number $text | float64) (get $factors (regexReplaceAll $number $text "") | float64) }}
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
{{- range $name := list "database" "redis" }}
{{- $part := get $.Values $name }}
{{- if and $part.caSecret $part.bundled.enabled }}
{{- printf "\n%s: caSecret is there to verify a server by, and the bundled one has no TLS\nfix: %s.bundled.enabled: false with the address of another server in %s.existingSecret, or %s.caSecret: \"\"" $name $name $name $name | fail }}
{{- end }}
{{- end }}
{{- if and .Values.database.directUrl (not .Values.database.existingSecret) }}
{{- fail "\ndatabase: directUrl is on, but the Secret that the chart makes has no `direct-url`\nfix: database.existingSecret: the name of a Secret that has it, or database.directUrl: false" }}
{{- end }}
{{- if and (ne .Values.database.urlKey "url") (not .Values.database.existingSecret) }}
{{- printf "\ndatabase: urlKey is `%s`, but the Secret that the chart makes has `url`\nfix: database.existingSecret: the name of a Secret that has it, or database.urlKey: url" .Values.database.urlKey | fail }}
{{- end }}
{{- if not (or .Values.apiKeys.existingSecret .Values.credentials.generate) }}
{{- fail "\napiKeys: credentials.generate is off and there is no Secret with the keys\nfix: apiKeys.existingSecret: the name of a Secret with the key `keys.json`, or credentials.generate: true" }}
{{- end }}
{{- end }}

{{- define "inventory-api.checkReplicas" -}}
{{- with .Values.worker.keda }}
{{- if and .enabled (not $.Values.worker.enabled) }}
{{- fail "\nworker: keda is on, and there is no worker that it could count\nfix: worker.enabled: true, or worker.keda.enabled: false" }}
{{- end }}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) }}
{{- printf "\nworker: keda.minReplicas %d > keda.maxReplicas %d\nfix: worker.keda.maxReplicas: %d or more" (int .minReplicas) (int .maxReplicas) (int .minReplicas) | fail }}
{{- end }}
{{- end }}
{{- with .Values.autoscaling }}
{{- if .enabled }}
{{- if gt (int .minReplicas) (int .maxReplicas) }}
{{- printf "\nautoscaling: minReplicas %d > maxReplicas %d\nfix: autoscaling.maxReplicas: %d or more" (int .minReplicas) (int .maxReplicas) (int .minReplicas) | fail }}
{{- end }}
{{- if not (or .targetCPUUtilizationPercentage .requestRate.metricName) }}
{{- fail "\nautoscaling: neither targetCPUUtilizationPercentage nor requestRate.metricName says by what\nfix: autoscaling.targetCPUUtilizationPercentage: 70, or the name of a metric of pods" }}
{{- end }}
{{- if and .targetCPUUtilizationPercentage (not (dig "requests" "cpu" "" $.Values.resources)) }}
{{- fail "\nautoscaling: targetCPUUtilizationPercentage is a part of what a pod requests, and resources.requests.cpu is not set\nfix: resources.requests.cpu: what a server worker should have, such as 500m" }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* minAvailable is rounded up and maxUnavailable too, as Kubernetes does. */}}
{{- define "inventory-api.checkDisruption" -}}
{{- with .Values.podDisruptionBudget }}
{{- if .enabled }}
{{- $replicas := include "inventory-api.minReplicas" $ | int }}
{{- $source := ternary "autoscaling.minReplicas" "replicaCount" $.Values.autoscaling.enabled }}
{{- $given := toString .minAvailable }}
{{- if ne $given "" }}
{{- $least := int (trimSuffix "%" $given) }}
{{- if hasSuffix "%" $given }}{{ $least = divf (mulf $least $replicas) 100 | ceil | int }}{{ end }}
{{- if and $replicas (ge $least $replicas) }}
{{- printf "\npodDisruptionBudget: minAvailable %s = %d of %s %d leaves 0 that may be taken, so that no node with such a pod can be drained\nfix: podDisruptionBudget.maxUnavailable: 1 with minAvailable: \"\"%s" $given $least $source $replicas (ternary "" (printf ", or %s: %d or more" $source (add $least 1)) (hasSuffix "%" $given)) | fail }}
{{- end }}
{{- else if not (int (trimSuffix "%" (toString .maxUnavailable))) }}
{{- printf "\npodDisruptionBudget: maxUnavailable %s of %s %d leaves 0 that may be taken, so that no node with such a pod can be drained\nfix: podDisruptionBudget.maxUnavailable: 1" (.maxUnavailable | toString | quote) $source $replicas | fail }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "inventory-api.checkMigrations" -}}
{{- if and .Values.migrations.existingSecret .Values.database.directUrl }}
{{- fail "\nmigrations: existingSecret and database.directUrl both say where migrations connect to\nfix: database.directUrl: false" }}
{{- end }}
{{- if and (eq .Values.migrations.mode "external") .Values.migrations.existingSecret }}
{{- fail "\nmigrations: existingSecret is of no effect with mode external, where you run them\nfix: migrations.existingSecret: \"\", or another mode" }}
{{- end }}
{{- if gt (int64 .Values.migrations.timeoutSeconds) (int64 .Values.migrations.activeDeadlineSeconds) }}
{{- printf "\nmigrations: timeoutSeconds %d > activeDeadlineSeconds %d, so that the Job ends before one attempt\nfix: migrations.activeDeadlineSeconds: %d or more" (int64 .Values.migrations.timeoutSeconds) (int64 .Values.migrations.activeDeadlineSeconds) (int64 .Values.migrations.timeoutSeconds) | fail }}
{{- end }}
{{- if and (eq .Values.migrations.mode "hook") (not (and .Values.database.existingSecret (not .Values.database.bundled.enabled))) }}
{{- fail "\nmigrations: with mode hook they run before anything of the chart is there, also its database and the Secret of it\nfix: migrations.mode: job, or database.existingSecret with database.bundled.enabled: false" }}
{{- end }}
{{- end }}

{{- define "inventory-api.checkStorage" -}}
{{- $isS3 := include "inventory-api.usesS3" . }}
{{- with .Values.storage }}
{{- range $name := list "endpoint" "region" "existingSecret" "caSecret" "caConfigMap" }}
{{- if and (get $.Values.storage $name) (not $isS3) }}
{{- printf "\nstorage: %s is of no effect without an S3 in url\nfix: storage.url: s3://BUCKET, or storage.%s: \"\"" $name $name | fail }}
{{- end }}
{{- end }}
{{- if and .caSecret .caConfigMap }}
{{- fail "\nstorage: caSecret and caConfigMap both say of which authority the endpoint must be\nfix: keep one of them" }}
{{- end }}
{{- if and (or .caSecret .caConfigMap) (hasPrefix "http://" .endpoint) }}
{{- printf "\nstorage: %s is there to verify the endpoint by, and %s has no TLS\nfix: storage.endpoint: https://..., or no authority" (ternary "caSecret" "caConfigMap" (ne .caSecret "")) .endpoint | fail }}
{{- end }}
{{- if and .url (not $isS3) }}
{{- $directory := (urlParse .url).path }}
{{- $mounted := false }}
{{- range $.Values.extraVolumeMounts }}
{{- $mounted = or $mounted (hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) (printf "%s/" (trimSuffix "/" $directory))) }}
{{- end }}
{{- if not $mounted }}
{{- printf "\nstorage: %s is a directory, and no volume is mounted there that all pods share\nfix: extraVolumes with a claim that is ReadWriteMany, extraVolumeMounts: [{name: ..., mountPath: %s}], or storage.url: s3://BUCKET" .url $directory | fail }}
{{- end }}
{{- end }}
{{- if .url }}
{{- with dig "limits" "ephemeral-storage" "" $.Values.resources }}
{{- $needed := include "inventory-api.ephemeralNeeded" $ | int64 }}
{{- if lt (include "inventory-api.amount" . | float64) (mulf $needed 1048576) }}
{{- printf "\ndisk: %s > resources.limits.ephemeral-storage %v, so that pods would be evicted for their uploads\nfix: resources.limits.ephemeral-storage: %dMi or more, or smaller or fewer uploads at once" (include "inventory-api.ephemeralArithmetic" $) . $needed | fail }}
{{- end }}
{{- end }}
{{- else if has "storage" $.Values.requiredChecks }}
{{- fail "\nstorage: requiredChecks has it, and there is none\nfix: storage.url: s3://BUCKET, or requiredChecks without it" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "inventory-api.checkNetwork" -}}
{{- with .Values.networkPolicy }}
{{- if .enabled }}
{{- range $name := list "database" "redis" }}
{{- if not (or (dig "bundled" "enabled" false (get $.Values $name)) (dig $name "to" list $.Values.networkPolicy)) }}
{{- printf "\nnetworkPolicy: nothing may be reached that is not named, and the %s of %s.existingSecret is not\nfix: networkPolicy.%s.to: [{ipBlock: {cidr: ...}}], or a namespaceSelector and a podSelector" $name $name $name | fail }}
{{- end }}
{{- end }}
{{- if and $.Values.database.directUrl (not .migrations.to) (ne $.Values.migrations.mode "external") }}
{{- fail "\nnetworkPolicy: nothing may be reached that is not named, and the server of `direct-url`, past the pooler, is not\nfix: networkPolicy.migrations.to: [{ipBlock: {cidr: ...}}], or a namespaceSelector and a podSelector" }}
{{- end }}
{{- if and .migrations.to (not (or $.Values.database.directUrl $.Values.migrations.existingSecret)) }}
{{- fail "\nnetworkPolicy: migrations.to says where migrations go, and no address leads them there\nfix: database.directUrl: true, or migrations.existingSecret: the name of a Secret with that address" }}
{{- end }}
{{- range $name, $default := dict "database" 5432 "redis" 6379 "migrations" 5432 }}
{{- $place := get $.Values.networkPolicy $name }}
{{- if and (not $place.to) (ne (int $place.port) $default) }}
{{- printf "\nnetworkPolicy: %s.port %d is of no effect without %s.to\nfix: networkPolicy.%s.to: where it is" $name (int $place.port) $name $name | fail }}
{{- end }}
{{- end }}
{{- if and (include "inventory-api.usesS3" $) (not .storage.to) }}
{{- printf "\nnetworkPolicy: nothing may be reached that is not named, and the S3 of storage.url %s is not\nfix: networkPolicy.storage.to: [{ipBlock: {cidr: ...}}], with 0.0.0.0/0 for the internet, or a namespaceSelector and a podSelector" $.Values.storage.url | fail }}
{{- end }}
{{- if and $.Values.otlp.endpoint (not .otlp.to) }}
{{- printf "\nnetworkPolicy: nothing may be reached that is not named, and the collector of otlp.endpoint %s is not\nfix: networkPolicy.otlp.to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ...}}}]" $.Values.otlp.endpoint | fail }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "inventory-api.checkAccess" -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) }}
{{- fail "\ngateway: a route attaches to a Gateway, and none is named\nfix: gateway.parentRefs: [{name: ..., namespace: ...}]" }}
{{- end }}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") }}
{{- printf "\nservice: nodePort %d is of no use with type ClusterIP\nfix: service.type: NodePort, or service.nodePort: 0" (int .Values.service.nodePort) | fail }}
{{- end }}
{{- with .Values.service }}
{{- if and (or .loadBalancerClass .loadBalancerSourceRanges) (ne .type "LoadBalancer") }}
{{- printf "\nservice: loadBalancerClass and loadBalancerSourceRanges are of no use with type %s\nfix: service.type: LoadBalancer" .type | fail }}
{{- end }}
{{- if and .externalTrafficPolicy (eq .type "ClusterIP") }}
{{- fail "\nservice: externalTrafficPolicy is of no use with type ClusterIP\nfix: service.type: NodePort or LoadBalancer" }}
{{- end }}
{{- end }}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) }}
{{- fail "\nserviceAccount: create is off and no other account is named\nfix: serviceAccount.name: an account of the namespace, or serviceAccount.create: true" }}
{{- end }}
{{- end }}

{{- define "inventory-api.checkMetrics" -}}
{{- $on := list }}
{{- range $name := list "serviceMonitor" "podMonitor" "annotations" }}
{{- if dig $name "enabled" false $.Values.metrics }}{{ $on = append $on $name }}{{ end }}
{{- end }}
{{- range $name := list "serviceMonitor" "podMonitor" }}
{{- with get $.Values.metrics $name }}
{{- if and .enabled (gt (include "inventory-api.milliseconds" .scrapeTimeout | int64) (include "inventory-api.milliseconds" .interval | int64)) }}
{{- printf "\nmetrics: %s.scrapeTimeout %s > interval %s, which Prometheus refuses\nfix: metrics.%s.scrapeTimeout: %s, or a longer interval" $name .scrapeTimeout .interval $name .interval | fail }}
{{- end }}
{{- if and .enabled (gt (include "inventory-api.milliseconds" .interval | int64) 120000) }}
{{- printf "\nmetrics: %s.interval %s > 2m, and rules and dashboards that look at 5 minutes need two scrapes in them\nfix: metrics.%s.interval: 2m or less" $name .interval $name | fail }}
{{- end }}
{{- end }}
{{- end }}
{{- if gt (len $on) 1 }}
{{- printf "\nmetrics: %s are on, and each would have every pod scraped once more\nfix: keep one of them" (join " and " $on) | fail }}
{{- end }}
{{- if and .Values.metrics.prometheusRule.enabled (not $on) }}
{{- fail "\nmetrics: prometheusRule is on and nothing has the pods scraped, so that its alerts would say for ever that the release is gone\nfix: metrics.serviceMonitor.enabled: true, or metrics.podMonitor.enabled, or metrics.annotations.enabled where your own scrape configuration finds the pods" }}
{{- end }}
{{- end }}

{{/* Of a duration as Prometheus writes it: 1m30s, 500ms. */}}
{{- define "inventory-api.milliseconds" -}}
{{- $unit := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 }}
{{- $sum := 0 }}
{{- range regexFindAll "[0-9]+(ms|s|m|h)" . -1 }}
{{- $sum = add $sum (mul (regexFind "^[0-9]+" .) (get $unit (regexFind "[a-z]+$" .))) }}
{{- end }}
{{- $sum }}
{{- end }}

{{- define "inventory-api.checkLabels" -}}
{{- range $annotation := keys .Values.commonAnnotations | sortAlpha }}
{{- if hasPrefix "helm.sh/" $annotation }}
{{- printf "\ncommonAnnotations: %s is Helm's, and would change what every object is to it\nfix: leave it out" $annotation | fail }}
{{- end }}
{{- end }}
{{- $given := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels
    "metrics.serviceMonitor.labels" .Values.metrics.serviceMonitor.labels "metrics.podMonitor.labels" .Values.metrics.podMonitor.labels }}
{{- range $value, $labels := $given }}
{{- range $label := keys $labels | sortAlpha }}
{{- if or (hasPrefix "app.kubernetes.io/" $label) (eq $label "helm.sh/chart") }}
{{- printf "\n%s: %s is set by the chart\nfix: another label, or nameOverride" $value $label | fail }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "inventory-api.checkExtraEnv" -}}
{{- range .Values.extraContainers }}
{{- if eq .name "api" }}{{ fail "\nextraContainers: api is the name of the chart's own\nfix: another name" }}{{ end }}
{{- end }}
{{- $volumes := list "credentials" "tmp" }}
{{- $directories := list "/tmp" "/etc/inventory-api/credentials" }}
{{- if .Values.storage.url }}
{{- $volumes = append $volumes "uploads" }}
{{- $directories = append $directories (include "inventory-api.spoolDirectory" .) }}
{{- end }}
{{- range .Values.extraVolumes }}
{{- if has .name $volumes }}
{{- printf "\nextraVolumes: %s is the name of the chart's own\nfix: another name" .name | fail }}
{{- end }}
{{- end }}
{{- range .Values.extraVolumeMounts }}
{{- if has (trimSuffix "/" .mountPath) $directories }}
{{- printf "\nextraVolumeMounts: the chart mounts its own at %s\nfix: another mountPath" .mountPath | fail }}
{{- end }}
{{- end }}
{{- $owners := dict
    "INVENTORY_DATABASE_URL_FILE" "database.existingSecret" "INVENTORY_DATABASE_URL" "database.existingSecret"
    "INVENTORY_DATABASE_DIRECT_URL_FILE" "database.directUrl" "INVENTORY_DATABASE_DIRECT_URL" "database.directUrl"
    "INVENTORY_REDIS_URL_FILE" "redis.existingSecret" "INVENTORY_REDIS_URL" "redis.existingSecret"
    "INVENTORY_API_KEYS_FILE" "apiKeys.existingSecret" "INVENTORY_WORKERS" "serverWorkers" "INVENTORY_POOL_MAX" "database.pool.max"
    "INVENTORY_REQUEST_DEADLINE" "requestDeadline" "INVENTORY_DRAIN_DELAY" "drain.delay" "INVENTORY_DRAIN_TIMEOUT" "drain.timeout" "INVENTORY_LOG_LEVEL" "logLevel"
    "INVENTORY_JOB_CONCURRENCY" "worker.concurrency" "INVENTORY_JOB_HEARTBEAT" "worker.heartbeatSeconds"
    "INVENTORY_AUDIT_RETENTION_DAYS" "worker.retention.auditDays" "INVENTORY_JOB_LOG_RETENTION_DAYS" "worker.retention.jobLogDays"
    "INVENTORY_RESERVATION_RETENTION_DAYS" "worker.retention.reservationDays"
    "INVENTORY_WEBHOOK_RETENTION_DAYS" "worker.retention.webhookDays" "INVENTORY_WEBHOOK_CONCURRENCY" "worker.webhookConcurrency"
    "INVENTORY_DATABASE_CA_FILE" "database.caSecret" "INVENTORY_REDIS_CA_FILE" "redis.caSecret"
    "INVENTORY_REQUIRED_CHECKS" "requiredChecks" "INVENTORY_STORAGE_URL" "storage.url" "INVENTORY_UPLOAD_MAX_BYTES" "storage.uploadMaxBytes"
    "INVENTORY_UPLOAD_BYTES_PER_SECOND" "storage.uploadBytesPerSecond"
    "INVENTORY_UPLOADS_AT_ONCE" "storage.uploadsAtOnce" "INVENTORY_DOWNLOADS_AT_ONCE" "storage.downloadsAtOnce"
    "INVENTORY_UPLOAD_DEADLINE" "storage.uploadDeadline" "INVENTORY_UPLOAD_URL_TTL" "storage.uploadUrlTtl"
    "INVENTORY_DOWNLOAD_REDIRECT" "storage.downloadRedirect" "INVENTORY_UPLOAD_DIRECTORY" ""
    "INVENTORY_ATTACHMENT_RETENTION_DAYS" "worker.retention.attachmentDays"
    "AWS_ENDPOINT_URL_S3" "storage.endpoint" "AWS_ENDPOINT_URL" "storage.endpoint" "AWS_REGION" "storage.region" "AWS_DEFAULT_REGION" "storage.region"
    "AWS_CA_BUNDLE" "storage.caSecret" "AWS_ACCESS_KEY_ID" "storage.existingSecret" "AWS_SECRET_ACCESS_KEY" "storage.existingSecret" "AWS_SESSION_TOKEN" "storage.existingSecret"
    "INVENTORY_HOST" "bindAddress" "INVENTORY_PORT" "" "INVENTORY_MANAGEMENT_PORT" "" "INVENTORY_SERVER_WORKER_TIMEOUT" ""
    "OTEL_EXPORTER_OTLP_ENDPOINT" "otlp.endpoint" "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" "otlp.endpoint"
    "OTEL_TRACES_SAMPLER" "otlp.samplingRatio" "OTEL_TRACES_SAMPLER_ARG" "otlp.samplingRatio"
    "OTEL_RESOURCE_ATTRIBUTES" "otlp.resourceAttributes" "POD_NAME" "" "POD_UID" "" "NODE_NAME" "" }}
{{- $names := list }}
{{- range .Values.extraEnv }}
{{- if hasKey $owners .name }}
{{- $owner := get $owners .name }}
{{- printf "\nextraEnv: %s is the chart's\nfix: %s" .name (ternary (printf "use the value %s" $owner) "leave it out" (ne $owner "")) | fail }}
{{- end }}
{{- if has .name $names }}
{{- printf "\nextraEnv: %s is there twice\nfix: keep one of them" .name | fail }}
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- end }}

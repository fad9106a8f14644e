{{/* What the pods of the API and of the queue worker have in common. */}}

{{/* Of (root, component): annotations that roll pods, and the user's. */}}
{{- define "inventory-api.serverAnnotations" -}}
{{- $given := ternary .root.Values.podAnnotations .root.Values.worker.podAnnotations (eq .component "api") }}
{{- $annotations := dict "kubectl.kubernetes.io/default-container" .component "checksum/credentials" (include "inventory-api.credentials" .root | sha256sum) }}
{{- if .root.Values.metrics.annotations.enabled }}
{{- $_ := merge $annotations (dict "prometheus.io/scrape" "true" "prometheus.io/port" "9000" "prometheus.io/path" "/metrics") }}
{{- end }}
{{- merge $annotations $given | toYaml }}
{{- end }}

{{/* Of (root, name). */}}
{{- define "inventory-api.serverEnv" -}}
{{- $values := .root.Values }}
{{- include "inventory-api.commonEnv" .root }}
- {name: INVENTORY_REDIS_URL_FILE, value: /etc/inventory-api/credentials/redis-url}
{{- if $values.redis.caSecret }}
- {name: INVENTORY_REDIS_CA_FILE, value: /etc/inventory-api/credentials/redis-ca.crt}
{{- end }}
- {name: INVENTORY_HOST, value: {{ $values.bindAddress | quote }}}
- {name: INVENTORY_MANAGEMENT_PORT, value: "9000"}
- {name: INVENTORY_REQUEST_DEADLINE, value: {{ $values.requestDeadline | quote }}}
- {name: INVENTORY_DRAIN_TIMEOUT, value: {{ $values.drain.timeout | quote }}}
{{- with $values.requiredChecks }}
- {name: INVENTORY_REQUIRED_CHECKS, value: {{ join "," . | quote }}}
{{- end }}
{{- include "inventory-api.storageEnv" .root }}
{{- if $values.otlp.endpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ $values.otlp.endpoint | quote }}}
- {name: OTEL_TRACES_SAMPLER, value: parentbased_traceidratio}
- {name: OTEL_TRACES_SAMPLER_ARG, value: {{ $values.otlp.samplingRatio | quote }}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
- {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
- {name: OTEL_RESOURCE_ATTRIBUTES, value: {{ include "inventory-api.resourceAttributes" . | quote }}}
{{- end }}
{{- end }}

{{- define "inventory-api.probes" -}}
{{- with .Values.probes }}
startupProbe:
  httpGet: {path: /system/startup, port: management}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: {{ .startupSeconds }}
# Of the API later than gunicorn's own time-out of 20 s, which ends a wedged server worker without losing the pod.
livenessProbe:
  httpGet: {path: /system/live, port: management}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: {{ divf .livenessSeconds 10 | ceil }}
# The service itself waits for three failed rounds before it says so.
readinessProbe:
  httpGet: {path: /system/ready, port: management}
  periodSeconds: {{ .readinessPeriodSeconds }}
  timeoutSeconds: 2
  failureThreshold: 1
{{- end }}
{{- end }}

{{/* Of (root, component). */}}
{{- define "inventory-api.serverMounts" -}}
- {name: credentials, mountPath: /etc/inventory-api/credentials, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if and .root.Values.storage.url (eq .component "api") }}
- {name: uploads, mountPath: {{ include "inventory-api.spoolDirectory" .root }}}
{{- end }}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of (root, component). */}}
{{- define "inventory-api.serverVolumes" -}}
- name: credentials
  projected:
    defaultMode: 0440
    sources:
      {{- include "inventory-api.databaseSource" .root | nindent 6 }}
      - secret:
          name: {{ include "inventory-api.redisSecret" .root | quote }}
          items: [{key: url, path: redis-url}]
      {{- with .root.Values.redis.caSecret }}
      - secret:
          name: {{ . | quote }}
          items: [{key: ca.crt, path: redis-ca.crt}]
      {{- end }}
      {{- include "inventory-api.storageSource" .root | nindent 6 }}
      {{- if eq .component "api" }}
      - secret:
          name: {{ include "inventory-api.apiKeysSecret" .root | quote }}
          items: [{key: keys.json, path: keys.json}]
      {{- end }}
- {name: tmp, emptyDir: {}}
{{- if and .root.Values.storage.url (eq .component "api") }}
- {name: uploads, emptyDir: {sizeLimit: {{ include "inventory-api.spoolSize" .root }}Mi}}
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
Of (root, name, scaled, replicas). Where an autoscaler counts them the number is the autoscaler's to set, but a Deployment
that loses the field has one pod at once: as many as there are, as long as the field is Helm's alone. Not once somebody
else has set it under server-side apply: it would stay, and naming a number that changes before Helm applies it is a
conflict, which fails the upgrade. None where nothing runs yet, or Helm has no cluster to look into.
*/}}
{{- define "inventory-api.replicas" -}}
{{- if not .scaled }}
{{- .replicas }}
{{- else }}
{{- $found := lookup "apps/v1" "Deployment" .root.Release.Namespace .name }}
{{- $applied := false }}
{{- $scaled := false }}
{{- range dig "metadata" "managedFields" list $found }}
{{- /* Who applies is Helm, by whatever name; who scales updates. */}}
{{- if eq .operation "Apply" }}{{ $applied = true }}{{ end }}
{{- if and (eq .operation "Update") (hasKey (dig "f:spec" dict .fieldsV1) "f:replicas") }}{{ $scaled = true }}{{ end }}
{{- end }}
{{- if not (and $applied $scaled) }}
{{- dig "spec" "replicas" "" $found }}
{{- end }}
{{- end }}
{{- end }}

{{/* Of (root, component). Pods are even over zones and nodes, and over those of one revision, so that a rollout keeps it so. */}}
{{- define "inventory-api.spread" -}}
{{- $selector := dict "matchLabels" (include "inventory-api.selectorLabels" . | fromYaml) }}
{{- $constraints := .root.Values.topologySpreadConstraints }}
{{- if not $constraints }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
{{- $constraints = append $constraints (dict "topologyKey" . "maxSkew" 1 "whenUnsatisfiable" "ScheduleAnyway" "matchLabelKeys" (list "pod-template-hash")) }}
{{- end }}
{{- end }}
{{- range $constraints }}
- {{- ternary . (merge (dict "labelSelector" $selector) .) (hasKey . "labelSelector") | toYaml | nindent 2 }}
{{- end }}
{{- end }}

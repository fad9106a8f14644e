{{- define "inventory-api.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* 40, so that the longest derived name, <fullname>-postgresql-<revision hash>, is still a label value. */}}
{{- define "inventory-api.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $full := .Values.fullnameOverride | default (ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name)) | replace "." "-" }}
{{- if gt (len $full) 40 }}
{{- /* Cut, and still another name than that of the next. */}}
{{- $full = printf "%s-%s" (trunc 31 $full | trimSuffix "-") (sha256sum $full | trunc 8) }}
{{- end }}
{{- if not (regexMatch "^[a-z]" $full) }}
{{- printf "\nnames: %s would be that of a Service, which begins with a letter (RFC 1035)\nfix: fullnameOverride: another name" $full | fail }}
{{- end }}
{{- $full }}
{{- end }}

{{/* Of (root, component). What selectors and pod templates carry: nothing that an upgrade changes. */}}
{{- define "inventory-api.selectorLabels" -}}
app.kubernetes.io/name: {{ include "inventory-api.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Of (root, component) and optionally (more): the nearest to the object counts, and the chart's own stay. */}}
{{- define "inventory-api.labels" -}}
{{- $own := include "inventory-api.selectorLabels" . | fromYaml }}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion }}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") }}
{{- merge $own (.more | default dict) .root.Values.commonLabels | toYaml }}
{{- end }}

{{/* Of (root, component, name) and optionally (annotations, more labels): the metadata of every object. */}}
{{- define "inventory-api.metadata" -}}
name: {{ .name | quote }}
labels: {{- include "inventory-api.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Of (root, component): the labels of a pod; those with the service image have the user's too. */}}
{{- define "inventory-api.podLabels" -}}
{{- $own := include "inventory-api.selectorLabels" . | fromYaml }}
{{- $given := ternary .root.Values.podLabels dict (has .component (list "api" "migration" "worker")) }}
{{- merge $own $given .root.Values.commonLabels | toYaml }}
{{- end }}

{{/* Of (image values, default tag). */}}
{{- define "inventory-api.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .tag }}
{{- end -}}
{{- end }}

{{- define "inventory-api.serviceImage" -}}
image: {{ include "inventory-api.image" (dict "image" .Values.image "tag" .Chart.AppVersion) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{- define "inventory-api.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "inventory-api.fullname" .) }}
{{- end }}

{{/* Of (root) and optionally (account, and the uid of an image that is not the service's): what every pod has in common. */}}
{{- define "inventory-api.podBasics" -}}
serviceAccountName: {{ .account | default (include "inventory-api.serviceAccount" .root) | quote }}
automountServiceAccountToken: false
# A Service that is named inventory-* would inject INVENTORY_* variables.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- if .root.Values.runAsUser }}
  {{- $user := .uid | default .root.Values.runAsUser | int64 }}
  runAsUser: {{ $user }}
  runAsGroup: {{ $user }}
  fsGroup: {{ $user }}
  {{- end }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "inventory-api.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "inventory-api.databaseSecret" -}}
{{ .Values.database.existingSecret | default (printf "%s-database" (include "inventory-api.fullname" .)) }}
{{- end }}

{{- define "inventory-api.redisSecret" -}}
{{ .Values.redis.existingSecret | default (printf "%s-redis" (include "inventory-api.fullname" .)) }}
{{- end }}

{{- define "inventory-api.apiKeysSecret" -}}
{{ .Values.apiKeys.existingSecret | default (printf "%s-api-keys" (include "inventory-api.fullname" .)) }}
{{- end }}

{{/* The settings that every container of the service image has. */}}
{{- define "inventory-api.commonEnv" -}}
- name: INVENTORY_DATABASE_URL_FILE
  value: /etc/inventory-api/credentials/database-url
{{- if .Values.database.caSecret }}
- {name: INVENTORY_DATABASE_CA_FILE, value: /etc/inventory-api/credentials/database-ca.crt}
{{- end }}
- {name: INVENTORY_LOG_LEVEL, value: {{ .Values.logLevel }}}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
Its share of the projected volume with the credentials; a whole volume and not a subPath, so that rotation arrives.
*/}}
{{- define "inventory-api.databaseSource" -}}
- secret:
    name: {{ include "inventory-api.databaseSecret" . | quote }}
    items:
      - {key: {{ .Values.database.urlKey | quote }}, path: database-url}
{{- with .Values.database.caSecret }}
- secret:
    name: {{ . | quote }}
    items: [{key: ca.crt, path: database-ca.crt}]
{{- end }}
{{- end }}

{{/* Of (root, name). */}}
{{- define "inventory-api.resourceAttributes" -}}
{{- $pod := dict
    "k8s.namespace.name" .root.Release.Namespace "k8s.deployment.name" .name
    "k8s.pod.name" "$(POD_NAME)" "k8s.pod.uid" "$(POD_UID)" "k8s.node.name" "$(NODE_NAME)" }}
{{- range $name, $value := .root.Values.otlp.resourceAttributes }}
{{- /* Percent-encoded, as in a baggage header (OpenTelemetry: Resource SDK). */}}
{{- $_ := set $pod $name (urlquery $value | replace "+" "%20") }}
{{- end }}
{{- $pairs := list }}
{{- range $name, $value := $pod }}
{{- $pairs = append $pairs (printf "%s=%s" $name $value) }}
{{- end }}
{{- join "," $pairs }}
{{- end }}

{{/* What keeps attachments: its settings, its authority, and the disk that uploads pass through. Nothing without storage.url. */}}

{{- define "inventory-api.usesS3" -}}
{{- if hasPrefix "s3://" .Values.storage.url }}true{{ end }}
{{- end }}

{{/* Of API and queue workers. The names of S3 are those of AWS's own tools. */}}
{{- define "inventory-api.storageEnv" -}}
{{- with .Values.storage }}
{{- if .url }}
- {name: INVENTORY_STORAGE_URL, value: {{ .url | quote }}}
- {name: INVENTORY_UPLOAD_MAX_BYTES, value: {{ int64 .uploadMaxBytes | quote }}}
- {name: INVENTORY_UPLOADS_AT_ONCE, value: {{ .uploadsAtOnce | quote }}}
- {name: INVENTORY_UPLOAD_BYTES_PER_SECOND, value: {{ int64 .uploadBytesPerSecond | quote }}}
- {name: INVENTORY_DOWNLOADS_AT_ONCE, value: {{ .downloadsAtOnce | quote }}}
- {name: INVENTORY_UPLOAD_DEADLINE, value: {{ .uploadDeadline | quote }}}
- {name: INVENTORY_UPLOAD_URL_TTL, value: {{ .uploadUrlTtl | quote }}}
- {name: INVENTORY_DOWNLOAD_REDIRECT, value: {{ .downloadRedirect | quote }}}
{{- if .endpoint }}
- {name: AWS_ENDPOINT_URL_S3, value: {{ .endpoint | quote }}}
{{- end }}
{{- if .region }}
- {name: AWS_REGION, value: {{ .region | quote }}}
{{- end }}
{{- if or .caSecret .caConfigMap }}
- {name: AWS_CA_BUNDLE, value: /etc/inventory-api/credentials/storage-ca.crt}
{{- end }}
{{- if .existingSecret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ .existingSecret | quote }}, key: AWS_ACCESS_KEY_ID}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ .existingSecret | quote }}, key: AWS_SECRET_ACCESS_KEY}}
- name: AWS_SESSION_TOKEN
  valueFrom: {secretKeyRef: {name: {{ .existingSecret | quote }}, key: AWS_SESSION_TOKEN, optional: true}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Its share of the projected volume with the credentials. */}}
{{- define "inventory-api.storageSource" -}}
{{- with .Values.storage.caSecret }}
- secret:
    name: {{ . | quote }}
    items: [{key: ca.crt, path: storage-ca.crt}]
{{- end }}
{{- with .Values.storage.caConfigMap }}
- configMap:
    name: {{ . | quote }}
    items: [{key: ca.crt, path: storage-ca.crt}]
{{- end }}
{{- end }}

{{/* Where the API keeps what it is receiving. */}}
{{- define "inventory-api.spoolDirectory" -}}
/var/spool/inventory-api
{{- end }}

{{/* Mebibytes that one file takes, rounded up. */}}
{{- define "inventory-api.uploadSize" -}}
{{- divf .Values.storage.uploadMaxBytes 1048576 | ceil | int64 }}
{{- end }}

{{/*
Mebibytes of all files that the server workers of a pod receive at once, and one for the directory. The service itself
takes no more; past this size the kubelet evicts the pod. One that counts by reading directories, and not by quotas, does
not see these files, as they have no names: that there is room for them is what the pod requests.
*/}}
{{- define "inventory-api.spoolSize" -}}
{{- add (mul .Values.serverWorkers .Values.storage.uploadsAtOnce (include "inventory-api.uploadSize" .)) 1 }}
{{- end }}

{{/* Mebibytes of an API pod: /tmp, and what kubelets keep of its log, five files of 10 to 50 by platform, are beside the spool. */}}
{{- define "inventory-api.ephemeralNeeded" -}}
{{- add (include "inventory-api.spoolSize" .) 64 256 }}
{{- end }}

{{- define "inventory-api.ephemeralArithmetic" -}}
{{- printf "serverWorkers %d x storage.uploadsAtOnce %d x storage.uploadMaxBytes %dMi + directory 1Mi + tmp 64Mi + logs 256Mi = %dMi"
    (int .Values.serverWorkers) (int .Values.storage.uploadsAtOnce) (include "inventory-api.uploadSize" . | int64) (include "inventory-api.ephemeralNeeded" . | int64) }}
{{- end }}

{{/* Of the container of the API: those of the values, and the disk for uploads where they say nothing of it. */}}
{{- define "inventory-api.apiResources" -}}
{{- $resources := .Values.resources }}
{{- if .Values.storage.url }}
{{- $needed := printf "%dMi" (include "inventory-api.ephemeralNeeded" . | int64) }}
{{- $requests := merge dict ($resources.requests | default dict) (dict "ephemeral-storage" $needed) }}
{{- /* No limit may be below what is requested. */}}
{{- $requested := index $requests "ephemeral-storage" }}
{{- $most := ternary $requested $needed (gt (include "inventory-api.amount" $requested | float64) (include "inventory-api.amount" $needed | float64)) }}
{{- $limits := merge dict ($resources.limits | default dict) (dict "ephemeral-storage" $most) }}
{{- $resources = dict "requests" $requests "limits" $limits }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

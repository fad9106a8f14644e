{{/* Of (root, secret, key): the value that an earlier release made, else a new one, safe in a URL. */}}
{{- define "inventory-api.keptOrNew" -}}
{{- $secret := lookup "v1" "Secret" .root.Release.Namespace .secret }}
{{- with dig "data" .key "" $secret -}}
{{ b64dec . }}
{{- else -}}
{{ randAlphaNum 40 }}
{{- end -}}
{{- end }}

{{/*
The Secrets that the chart makes, as JSON: {database|redis|apiKeys: {key: value}}. Random values must be the same
wherever one rendering uses them, so they are made once and left in .Values, which all templates share.
*/}}
{{- define "inventory-api.credentials" -}}
{{- if not (hasKey .Values "madeCredentials") }}
{{- $fullname := include "inventory-api.fullname" . }}
{{- $made := dict }}
{{- if .Values.credentials.generate }}
{{- if and .Values.database.bundled.enabled (not .Values.database.existingSecret) }}
{{- $password := include "inventory-api.keptOrNew" (dict "root" . "secret" (include "inventory-api.databaseSecret" .) "key" "password") }}
{{- $url := "postgresql://inventory:%s@%s:5432/inventory" }}
{{- $host := printf "%s-postgresql" $fullname }}
{{- /* For KEDA, whose pods are in another namespace. */}}
{{- $connection := printf $url $password (printf "%s.%s.svc" $host .Release.Namespace) }}
{{- $_ := set $made "database" (dict "password" $password "url" (printf $url $password $host) "connection" $connection) }}
{{- end }}
{{- if and .Values.redis.bundled.enabled (not .Values.redis.existingSecret) }}
{{- $password := include "inventory-api.keptOrNew" (dict "root" . "secret" (include "inventory-api.redisSecret" .) "key" "password") }}
{{- $url := printf "redis://:%s@%s-valkey:6379/0" $password $fullname }}
{{- $_ := set $made "redis" (dict "password" $password "url" $url "valkey.conf" (printf "requirepass %s\n" $password)) }}
{{- end }}
{{- if not .Values.apiKeys.existingSecret }}
{{- $key := include "inventory-api.keptOrNew" (dict "root" . "secret" (include "inventory-api.apiKeysSecret" .) "key" "admin") }}
{{- $admin := dict "id" "admin" "sha256" (sha256sum $key) "scopes" (include "inventory-api.scopes" . | fromYamlArray) }}
{{- $_ := set $made "apiKeys" (dict "admin" $key "keys.json" (dict "keys" (list $admin) | toPrettyJson)) }}
{{- end }}
{{- end }}
{{- $_ := set .Values "madeCredentials" $made }}
{{- end }}
{{- toJson .Values.madeCredentials }}
{{- end }}

{{- define "inventory-api.scopes" -}}
- inventory:read
- inventory:write
- orders:read
- orders:write
- attachments:read
- attachments:write
- audit:read
- webhooks:admin
- jobs:admin
{{- end }}

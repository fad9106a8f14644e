{{/* What each component may be reached by and may reach: one pair of rule lists for each, `[]` being nothing. */}}

{{/* Of (root, components): their pods, as NetworkPolicyPeers. */}}
{{- define "inventory-api.podsOf" -}}
{{- $root := .root }}
{{- range .components }}
- podSelector:
    matchLabels: {{- include "inventory-api.selectorLabels" (dict "root" $root "component" .) | nindent 6 }}
{{- end }}
{{- end }}

{{- define "inventory-api.ingressOf.api" -}}
{{- with .Values.networkPolicy }}
- ports: [{port: 8000}]
  {{- if .apiFrom }}
  from:
    {{- include "inventory-api.podsOf" (dict "root" $ "components" (list "test")) | nindent 4 }}
    {{- toYaml .apiFrom | nindent 4 }}
  {{- end }}
- ports: [{port: 9000}]
  from: {{- .metricsFrom | default (list (dict "namespaceSelector" dict)) | toYaml | nindent 4 }}
{{- end }}
{{- end }}

{{- define "inventory-api.ingressOf.migration" -}}
[]
{{- end }}

{{- define "inventory-api.ingressOf.test" -}}
[]
{{- end }}

{{- define "inventory-api.ingressOf.postgresql" -}}
- ports: [{port: 5432}]
  from: {{- include "inventory-api.podsOf" (dict "root" . "components" (list "api" "migration")) | nindent 4 }}
{{- end }}

{{- define "inventory-api.ingressOf.valkey" -}}
- ports: [{port: 6379}]
  from: {{- include "inventory-api.podsOf" (dict "root" . "components" (list "api")) | nindent 4 }}
{{- end }}

{{- define "inventory-api.egressToDns" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  {{- with .Values.networkPolicy.dnsTo }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "inventory-api.egressToDatabase" -}}
{{- if .Values.database.bundled.enabled }}
- ports: [{port: 5432}]
  to: {{- include "inventory-api.podsOf" (dict "root" . "components" (list "postgresql")) | nindent 4 }}
{{- end }}
{{- with .Values.networkPolicy.database }}
{{- if .to }}
- ports: [{port: {{ .port }}}]
  to: {{- toYaml .to | nindent 4 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "inventory-api.egressOf.api" -}}
{{ include "inventory-api.egressToDns" . }}
{{- include "inventory-api.egressToDatabase" . }}
{{- if .Values.redis.bundled.enabled }}
- ports: [{port: 6379}]
  to: {{- include "inventory-api.podsOf" (dict "root" . "components" (list "valkey")) | nindent 4 }}
{{- end }}
{{- with .Values.networkPolicy.redis }}
{{- if .to }}
- ports: [{port: {{ .port }}}]
  to: {{- toYaml .to | nindent 4 }}
{{- end }}
{{- end }}
{{- if .Values.otlp.endpoint }}
- ports: [{port: {{ include "inventory-api.otlpPort" . }}}]
  to: {{- toYaml .Values.networkPolicy.otlp.to | nindent 4 }}
{{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "inventory-api.egressOf.migration" -}}
{{ include "inventory-api.egressToDns" . }}
{{- include "inventory-api.egressToDatabase" . }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "inventory-api.egressOf.test" -}}
{{ include "inventory-api.egressToDns" . }}
- ports: [{port: 8000}]
  to: {{- include "inventory-api.podsOf" (dict "root" . "components" (list "api")) | nindent 4 }}
{{- end }}

{{- define "inventory-api.egressOf.postgresql" -}}
[]
{{- end }}

{{- define "inventory-api.egressOf.valkey" -}}
[]
{{- end }}

{{/* Of otlp.endpoint; that of its scheme where it names none. */}}
{{- define "inventory-api.otlpPort" -}}
{{- $url := urlParse .Values.otlp.endpoint }}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary "443" "80" (eq $url.scheme "https")) }}
{{- end }}

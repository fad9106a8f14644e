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
{{- end }}
{{ include "inventory-api.ingressOf.worker" . }}
{{- end }}

{{- define "inventory-api.ingressOf.worker" -}}
- ports: [{port: 9000}]
  from: {{- .Values.networkPolicy.metricsFrom | default (list (dict "namespaceSelector" dict)) | toYaml | nindent 4 }}
{{- end }}

{{- define "inventory-api.ingressOf.migration" -}}
[]
{{- end }}

{{- define "inventory-api.ingressOf.test" -}}
[]
{{- end }}

{{- define "inventory-api.ingressOf.postgresql" -}}
- ports: [{port: 5432}]
  from: {{- include "inventory-api.podsOf" (dict "root" . "components" (list "api" "migration" "worker")) | nindent 4 }}
    {{- with .Values.networkPolicy.kedaFrom }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "inventory-api.ingressOf.valkey" -}}
- ports: [{port: 6379}]
  from: {{- include "inventory-api.podsOf" (dict "root" . "components" (list "api" "worker")) | nindent 4 }}
{{- end }}

{{- define "inventory-api.egressToDns" -}}
{{- with .Values.networkPolicy.dns }}
- ports: [{port: {{ .port }}, protocol: UDP}, {port: {{ .port }}, protocol: TCP}]
  {{- with .to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Of (root, place): what networkPolicy says of where it is. */}}
{{- define "inventory-api.egressToDatabase" -}}
{{- if .root.Values.database.bundled.enabled }}
- ports: [{port: 5432}]
  to: {{- include "inventory-api.podsOf" (dict "root" .root "components" (list "postgresql")) | nindent 4 }}
{{- end }}
{{- include "inventory-api.egressTo" .place }}
{{- end }}

{{/* Of (to, port); nothing where `to` is empty. */}}
{{- define "inventory-api.egressTo" -}}
{{- if .to }}
- ports: [{port: {{ .port }}}]
  to: {{- toYaml .to | nindent 4 }}
{{- end }}
{{- end }}

{{- define "inventory-api.extraEgress" -}}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "inventory-api.egressOf.api" -}}
{{ include "inventory-api.egressToDns" . }}
{{- include "inventory-api.egressToDatabase" (dict "root" . "place" .Values.networkPolicy.database) }}
{{- if .Values.redis.bundled.enabled }}
- ports: [{port: 6379}]
  to: {{- include "inventory-api.podsOf" (dict "root" . "components" (list "valkey")) | nindent 4 }}
{{- end }}
{{- include "inventory-api.egressTo" .Values.networkPolicy.redis }}
{{- if include "inventory-api.usesS3" . }}
{{- with .Values.networkPolicy.storage }}
{{- include "inventory-api.egressTo" (dict "to" .to "port" (include "inventory-api.portOf" (dict "port" .port "url" $.Values.storage.endpoint))) }}
{{- end }}
{{- end }}
{{- if .Values.otlp.endpoint }}
{{- with .Values.networkPolicy.otlp }}
{{- include "inventory-api.egressTo" (dict "to" .to "port" (include "inventory-api.portOf" (dict "port" .port "url" $.Values.otlp.endpoint))) }}
{{- end }}
{{- end }}
{{- include "inventory-api.extraEgress" . }}
{{- end }}

{{- define "inventory-api.egressOf.worker" -}}
{{ include "inventory-api.egressOf.api" . }}
{{- with .Values.networkPolicy.webhooks }}
{{- if .enabled }}
- ports: [{port: 443}, {port: 1024, endPort: 65535}]
  to: {{- .to | default (include "inventory-api.internet" $ | fromYamlArray) | toYaml | nindent 4 }}
{{- end }}
{{- end }}
{{- end }}

{{/*
All addresses but those that the service refuses as well (webhooks/networks.py); those of IPv6 where pods have such.
*/}}
{{- define "inventory-api.internet" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except:
      - 0.0.0.0/8
      - 10.0.0.0/8
      - 100.64.0.0/10
      - 127.0.0.0/8
      - 168.63.129.16/32
      - 169.254.0.0/16
      - 172.16.0.0/12
      - 192.0.0.0/24
      - 192.0.2.0/24
      - 192.31.196.0/24
      - 192.52.193.0/24
      - 192.88.99.0/24
      - 192.168.0.0/16
      - 192.175.48.0/24
      - 198.18.0.0/15
      - 198.51.100.0/24
      - 203.0.113.0/24
      - 224.0.0.0/4
      - 240.0.0.0/4
{{- if eq .Values.bindAddress "::" }}
- ipBlock:
    cidr: 2000::/3
    except:
      - 2001::/23
      - 2001:db8::/32
      - 2002::/16
      - 2620:4f:8000::/48
      - 3fff::/20
{{- end }}
{{- end }}

{{- define "inventory-api.egressOf.migration" -}}
{{ include "inventory-api.egressToDns" . }}
{{- with .Values.networkPolicy }}
{{- include "inventory-api.egressToDatabase" (dict "root" $ "place" (ternary .migrations .database (not (empty .migrations.to)))) }}
{{- end }}
{{- include "inventory-api.extraEgress" . }}
{{- end }}

{{- define "inventory-api.egressOf.test" -}}
{{ include "inventory-api.egressToDns" . }}
- ports: [{port: 8000}]
  to: {{- include "inventory-api.podsOf" (dict "root" . "components" (list "api")) | nindent 4 }}
{{- include "inventory-api.extraEgress" . }}
{{- end }}

{{- define "inventory-api.egressOf.postgresql" -}}
[]
{{- end }}

{{- define "inventory-api.egressOf.valkey" -}}
[]
{{- end }}

{{/* Of (port, url): that which is given, else that of the URL, else of its scheme; without a URL that of HTTPS. */}}
{{- define "inventory-api.portOf" -}}
{{- $url := urlParse .url }}
{{- .port | default (regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host)) | default (ternary "80" "443" (eq $url.scheme "http")) }}
{{- end }}

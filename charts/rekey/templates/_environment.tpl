{{/* What operator/src/config.ts reads, as one map of strings. */}}
{{- define "rekey.environment" -}}
REKEY_LOG_LEVEL: {{ .Values.logLevel }}
REKEY_SERVICE: {{ include "rekey.operator" . }}
REKEY_WEBHOOK_CONFIGURATION: {{ include "rekey.operator" . }}
REKEY_WEBHOOK_PORT: "8443"
REKEY_HEALTH_PORT: "8080"
REKEY_SIDECAR_IMAGE: {{ include "rekey.image" (dict "image" .Values.image.sidecar "chart" .Chart) }}
REKEY_SIDECAR_IMAGE_PULL_POLICY: {{ .Values.image.sidecar.pullPolicy }}
REKEY_SIDECAR_LOG_LEVEL: {{ .Values.sidecar.logLevel }}
{{- with .Values.audit.otlp }}
REKEY_SIDECAR_AUDIT_OTLP: {{ quote . }}
{{- end }}
REKEY_SIDECAR_SYSCTLS: {{ .Values.sidecar.sysctls | quote }}
{{- range $kind, $suffix := dict "requests" "REQUEST" "limits" "LIMIT" }}
{{- range $resource, $quantity := index $.Values.sidecar.resources $kind }}
REKEY_SIDECAR_{{ upper $resource }}_{{ $suffix }}: {{ kindIs "string" $quantity | ternary $quantity (int64 $quantity) | quote }}
{{- end }}
{{- end }}
{{- with .Values.namespaces }}
REKEY_NAMESPACES: {{ join "," . }}
{{- end }}
{{- with .Values.trust.extraCA }}
REKEY_EXTRA_CA: {{ toJson . }}
{{- end }}
{{- with include "rekey.defaultStore" . }}
REKEY_DEFAULT_STORE: {{ toJson . }}
{{- end }}
{{- end }}

{{/* The spec of the MCPCredentialStore `default` as JSON, or nothing when the values name no vault. */}}
{{- define "rekey.defaultStore" -}}
{{- with .Values.vault }}
{{- if .address }}
{{- $auth := dict "mount" .authMount "role" .role "operatorRole" .operatorRole "audience" .audience }}
{{- $vault := dict "address" .address "mount" .mount "auth" (dict "kubernetes" $auth) }}
{{- with .caBundle }}{{ $_ := set $vault "caBundle" . }}{{ end }}
{{- dict "vault" $vault "pollIntervalSeconds" $.Values.pollIntervalSeconds | toJson }}
{{- end }}
{{- end }}
{{- end }}

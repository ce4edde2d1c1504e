{{/* One Rekey serves a cluster, so its names are fixed: what a policy, a page or a person says of them is true everywhere. */}}
{{- define "rekey.operator" -}}rekey-operator{{- end }}

{{- define "rekey.selector" -}}
app.kubernetes.io/name: rekey
app.kubernetes.io/component: operator
{{- end }}

{{- define "rekey.labels" -}}
app.kubernetes.io/name: rekey
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* repository:tag, the tag being the chart's own version unless the values name one */}}
{{- define "rekey.image" -}}
{{ .image.repository }}:{{ .image.tag | default .chart.AppVersion }}
{{- end }}

{{/*
Which pods Rekey is for. The webhook and the policy that fails closed both say it with these words, so they cannot differ.

  label rekey.dev/inject of the pod | namespace labelled rekey.dev/injection=enabled | otherwise
  "true"                            | yes, by the pod                                | yes, by the pod
  "false"                           | no                                             | no
  absent, or anything else          | yes, by the namespace                          | no

Only in the namespaces of the values, where these name some. Never in kube-system and in the operator's own namespace: the operator must be able to start without itself.
*/}}
{{- define "rekey.optin.namespace" -}}
namespaceSelector:
  matchLabels:
    rekey.dev/injection: enabled
  matchExpressions:
    {{- include "rekey.optin.excluded" . | nindent 4 }}
objectSelector:
  matchExpressions:
    - key: rekey.dev/inject
      operator: NotIn
      values: ["true", "false"]
{{- end }}

{{- define "rekey.optin.pod" -}}
namespaceSelector:
  matchExpressions:
    {{- include "rekey.optin.excluded" . | nindent 4 }}
objectSelector:
  matchLabels:
    rekey.dev/inject: "true"
{{- end }}

{{- define "rekey.optin.excluded" -}}
- key: kubernetes.io/metadata.name
  operator: NotIn
  values: [kube-system, {{ .Release.Namespace }}]
{{- with .Values.namespaces }}
- key: kubernetes.io/metadata.name
  operator: In
  values: {{ toJson . }}
{{- end }}
{{- end }}

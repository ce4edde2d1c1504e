{{/* What the operator does in namespaces: in all of them by its ClusterRole, or in those of the values by a Role each. */}}
{{- define "rekey.operator.rules" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# One annotation of injected pods and no more, which the policy rekey-operator-pods sees to.
- apiGroups: [""]
  resources: [pods]
  verbs: [patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
- apiGroups: [rekey.dev]
  resources: [mcpcredentials]
  verbs: [list, watch]
- apiGroups: [rekey.dev]
  resources: [mcpcredentials/status]
  verbs: [patch]
- apiGroups: [rekey.dev]
  resources: [mcpcredentialbindings]
  verbs: [list, watch, create, patch]
# It binds the role rekey-sidecar in namespaces with injected pods, and can bind no other. Server-side apply names what it creates,
# so even create can be limited to a name.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  resourceNames: [rekey-sidecar]
  verbs: [list, watch, create, patch]
{{- end }}

# What a sidecar may: read values.
path "kv/data/mcp/*" {
  capabilities = ["read"]
}

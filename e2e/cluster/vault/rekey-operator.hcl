# What the operator may: see which versions there are. None of this gives a value.
path "kv/metadata/mcp/*" {
  capabilities = ["read", "list"]
}

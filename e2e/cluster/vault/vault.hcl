disable_mlock    = true
plugin_directory = "/usr/local/lib/vault"
api_addr         = "https://vault.vault.svc:8200"
cluster_addr     = "https://127.0.0.1:8201"

# The only storage of a minimal build that outlives a restart.
storage "raft" {
  path                   = "/vault/data"
  node_id                = "vault"
  performance_multiplier = 1
}
listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/etc/vault/tls/tls.crt"
  tls_key_file  = "/etc/vault/tls/tls.key"
}

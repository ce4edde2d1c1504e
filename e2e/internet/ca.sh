#!/bin/sh
# Makes a throw-away public certificate authority, a certificate for each host that the upstream plays, and one for all names of each cloud.
# What is there already and lasts another week stays, so that pods need not learn a new authority.
# Usage: ca.sh DIRECTORY   ->   DIRECTORY/ca.pem, ca.key, leaves/HOST.crt, leaves/HOST.key, clouds/NAME.crt, clouds/NAME.key
set -eu
umask 077
directory=${1:?usage: ca.sh DIRECTORY}
hosts='api.github.com api.notion.com slack.com api.search.brave.com maps.googleapis.com gitlab.com'
aws='secretsmanager.eu-central-1.amazonaws.com sts.eu-central-1.amazonaws.com'
gcp='secretmanager.googleapis.com sts.googleapis.com iamcredentials.googleapis.com'
mkdir -p "$directory/leaves" "$directory/clouds"
cd "$directory"
if [ "$(cat complete 2>/dev/null)" = "$hosts $aws $gcp" ] && openssl x509 -in ca.pem -checkend 604800 -noout >/dev/null; then exit; fi
rm -f complete

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

key ca.key
openssl req -new -x509 -key ca.key -sha256 -days 30 -subj '/O=Throw-away/CN=Throw-away public CA' -out ca.pem \
  -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null

leaf() { # PATH HOST…
  leaf=$1
  shift
  key "$leaf.key"
  cat > leaf.cnf <<EOF
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=$(printf 'DNS:%s,' "$@" | sed 's/,$//')
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
EOF
  openssl req -new -key "$leaf.key" -subj "/CN=$1" |
    openssl x509 -req -sha256 -days 30 -CA ca.pem -CAkey ca.key -CAcreateserial -extfile leaf.cnf -out "$leaf.crt" 2>/dev/null
}

for host in $hosts; do leaf "leaves/$host" "$host"; done
leaf clouds/aws $aws
leaf clouds/gcp $gcp
rm -f leaf.cnf ca.srl
chmod 644 ca.pem
echo "$hosts $aws $gcp" > complete

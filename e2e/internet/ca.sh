#!/bin/sh
# Makes a throw-away public certificate authority and a certificate for each host that the upstream plays.
# What is there already and lasts another week stays, so that pods need not learn a new authority.
# Usage: ca.sh DIRECTORY   ->   DIRECTORY/ca.pem, ca.key, leaves/HOST.crt, leaves/HOST.key
set -eu
umask 077
directory=${1:?usage: ca.sh DIRECTORY}
hosts='api.github.com api.notion.com slack.com api.search.brave.com maps.googleapis.com gitlab.com'
mkdir -p "$directory/leaves"
cd "$directory"
if [ "$(cat complete 2>/dev/null)" = "$hosts" ] && openssl x509 -in ca.pem -checkend 604800 -noout >/dev/null; then exit; fi
rm -f complete

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

key ca.key
openssl req -new -x509 -key ca.key -sha256 -days 30 -subj '/O=Throw-away/CN=Throw-away public CA' -out ca.pem \
  -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null

for host in $hosts; do
  key "leaves/$host.key"
  cat > leaf.cnf <<EOF
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=DNS:$host
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
EOF
  openssl req -new -key "leaves/$host.key" -subj "/CN=$host" |
    openssl x509 -req -sha256 -days 30 -CA ca.pem -CAkey ca.key -CAcreateserial -extfile leaf.cnf -out "leaves/$host.crt" 2>/dev/null
done
rm -f leaf.cnf ca.srl
chmod 644 ca.pem
echo "$hosts" > complete

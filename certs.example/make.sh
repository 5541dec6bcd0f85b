#!/bin/sh
# Makes the throw-away certificates in this folder anew. Needs the openssl program, nothing else.
# Nobody trusts them, and their keys are public: for tests and demonstrations only.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "openssl ca" is the one command of OpenSSL 3.0 that takes both dates of a certificate.
cat > "$work/ca.cnf" <<'END'
[ca]
default_ca = own
[own]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
organizationName = optional
commonName = supplied
END

# credential NAME FIRST_SECOND LAST_SECOND: a certificate whose public key encrypts the
# initiator's password, as M-Pesa hands one out (spec/soap.md §6), and the key to it, which only
# M-Pesa would have.
credential() {
    : > "$work/index"
    openssl rand -hex 15 > "$work/serial"
    openssl req -new -newkey rsa:2048 -nodes -sha256 \
        -subj "/O=Mlango examples/CN=$1.example.test" \
        -keyout "$1-key.pem" -out "$work/request.pem" 2>/dev/null
    key=$PWD/$1-key.pem
    (cd "$work" && openssl ca -batch -selfsign -config ca.cnf -notext \
        -keyfile "$key" -in request.pem -startdate "$2" -enddate "$3" \
        -out certificate.pem 2>/dev/null)
    cp "$work/certificate.pem" "$1.pem"
}

credential credential 20240101000000Z 20540101000000Z
openssl x509 -in credential.pem -outform DER -out credential.cer
credential credential-expired 20140101000000Z 20160101000000Z

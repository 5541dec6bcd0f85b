#!/bin/sh
# Makes throw-away certificates. Needs the openssl program, nothing else.
# Nobody trusts them, and those in this folder have public keys: for tests and demonstrations only.
#
#   make.sh             the credential certificates in this folder, anew
#   make.sh all DIR     everything, into DIR: README.md beside this script says what there is
set -eu

what=${1:-credential}
into=${2:-$(dirname "$0")}
mkdir -p "$into"
cd "$into"
umask 077
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

fresh() {
    : > "$work/index"
    openssl rand -hex 15 > "$work/serial"
}

# key NAME KIND: a private key; KIND is ec or rsa:BITS.
key() {
    case $2 in
        rsa:*) openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:${2#rsa:}" -out "$1-key.pem" \
            2>/dev/null ;;
        *) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1-key.pem" ;;
    esac
}

# credential NAME FIRST_SECOND LAST_SECOND: a certificate whose public key encrypts the
# initiator's password, as M-Pesa hands one out (spec/soap.md §6), and the key to it, which only
# M-Pesa would have.
credential() {
    fresh
    openssl req -new -newkey rsa:2048 -nodes -sha256 \
        -subj "/O=Mlango examples/CN=$1.example.test" \
        -keyout "$1-key.pem" -out "$work/request.pem" 2>/dev/null
    key=$PWD/$1-key.pem
    (cd "$work" && openssl ca -batch -selfsign -config ca.cnf -notext \
        -keyfile "$key" -in request.pem -startdate "$2" -enddate "$3" \
        -out certificate.pem 2>/dev/null)
    cp "$work/certificate.pem" "$1.pem"
}

# authority NAME: one who signs.
authority() {
    key "$1" ec
    openssl req -x509 -new -key "$1-key.pem" -sha256 -days 10950 \
        -subj "/O=Mlango examples/CN=Mlango example authority $1" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
        -out "$1.pem" 2>/dev/null
}

# signed NAME COMMON_NAME ALTERNATIVE_NAMES KIND AUTHORITY [FIRST_SECOND LAST_SECOND]
signed() {
    fresh
    key "$1" "$4"
    openssl req -new -key "$1-key.pem" -subj "/O=Mlango examples/CN=$2" -out "$work/request.pem"
    {
        echo "basicConstraints=critical,CA:FALSE"
        echo "extendedKeyUsage=${usage:-serverAuth,clientAuth}"
        [ -z "$3" ] || echo "subjectAltName=$3"
    } > "$work/extensions"
    place=$PWD
    (cd "$work" && openssl ca -batch -config ca.cnf -notext -extfile extensions \
        -cert "$place/$5.pem" -keyfile "$place/$5-key.pem" -in request.pem \
        -startdate "${6:-20240101000000Z}" -enddate "${7:-20540101000000Z}" \
        -out certificate.pem 2>/dev/null)
    cp "$work/certificate.pem" "$1.pem"
}

credential credential 20240101000000Z 20540101000000Z
openssl x509 -in credential.pem -outform DER -out credential.cer
credential credential-expired 20140101000000Z 20160101000000Z
[ "$what" = all ] || exit 0

here="DNS:localhost,IP:127.0.0.1,IP:::1"
authority ca
authority other-ca
openssl crl2pkcs7 -nocrl -certfile ca.pem -outform DER -out ca.p7b
openssl x509 -in ca.pem -outform DER -out ca.der
signed server gateway.example.test "DNS:gateway.example.test,$here" ec ca
signed client partner.example.test "DNS:partner.example.test" ec ca
signed broker broker.example.test "DNS:broker.example.test,$here" ec ca
signed named broker.example.test "DNS:broker.example.test" ec ca
signed bare localhost "" ec ca
signed expired broker.example.test "DNS:broker.example.test,$here" ec ca 20140101000000Z 20160101000000Z
signed small broker.example.test "DNS:broker.example.test,$here" rsa:1024 ca
signed future broker.example.test "DNS:broker.example.test,$here" ec ca 20530101000000Z 20540101000000Z
usage=serverAuth
signed listener-only partner.example.test "DNS:partner.example.test" ec ca
usage=
signed stranger stranger.example.test "DNS:stranger.example.test,$here" ec other-ca
openssl pkcs12 -export -in client.pem -inkey client-key.pem -certfile ca.pem \
    -passout pass:example -out client.p12

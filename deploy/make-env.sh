#!/bin/bash
# Adds to .env every DEPLOY_ variable of .env.example that it does not set yet, with a random value. What is set stays.
# AKHQ keeps only a hash of its password, so that one is printed, once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
umask 077
touch .env

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

for name in $(grep --only-matching '^DEPLOY_[A-Z0-9_]*' .env.example); do
  if grep --quiet "^$name=." .env; then continue; fi
  value=$(random)
  case $name in
    DEPLOY_KAFKA_CLUSTER_ID) value=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n' | cut -c 1-22) ;;
    DEPLOY_AKHQ_PASSWORD_SHA256)
      echo "AKHQ: user admin, password $value"
      value=$(printf %s "$value" | sha256sum | cut -d ' ' -f 1)
      ;;
  esac
  sed -i "/^$name=\$/d" .env
  echo "$name=$value" >> .env
  echo "$name was added to .env"
done

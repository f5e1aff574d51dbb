#!/usr/bin/env bash
# Builds and pushes the image REPOSITORY_URI:IMAGE_TAG, once: tags are immutable, and a second build is none.
set -euo pipefail

image="$REPOSITORY_URI:$IMAGE_TAG"
if aws ecr describe-images --repository-name "$REPOSITORY_NAME" --image-ids "imageTag=$IMAGE_TAG"; then
    echo "$image is there already"
    exit 0
fi
aws ecr get-login-password | docker login --username AWS --password-stdin "${REPOSITORY_URI%%/*}"
docker build --platform linux/amd64 --file training/container/Dockerfile --tag "$image" .
docker push "$image"

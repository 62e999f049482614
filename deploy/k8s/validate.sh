#!/bin/bash
# Ask a real API server what it thinks of every overlay, every component, and what tests/kube makes of one: a dry run on the
# server, with strict validation. A warning (of pod security, of what is deprecated) is a failure. KUBECONFIG names the
# cluster; it is left as it was found but for the namespace `barid`, if that was not there, and stand-ins for the kinds of
# cert-manager, KEDA and others (tests/deploy/crds), which are removed.
set -euo pipefail
cd "$(dirname "$0")/../.."
KUBECTL=${KUBECTL:-kubectl}
STAND_INS=tests/deploy/crds
work=$(mktemp -d deploy/k8s/.validate.XXXX)
made=()
cleanup() { rm -rf "$work"; for each in "${made[@]}"; do $KUBECTL delete -f "$each" --wait=false >/dev/null; done; }
trap cleanup EXIT

for each in "$STAND_INS"/*.yaml; do
  $KUBECTL get -f "$each" >/dev/null 2>&1 && continue
  $KUBECTL create -f "$each" >/dev/null && made+=("$each")
done
$KUBECTL wait --for=condition=Established --timeout=30s -f "$STAND_INS" >/dev/null
$KUBECTL get namespace barid >/dev/null 2>&1 || $KUBECTL create --save-config -f deploy/k8s/base/namespace.yaml >/dev/null

for component in gateway ingress-volume; do
  mkdir -p "$work/prod+$component"
  cat > "$work/prod+$component/kustomization.yaml" <<Y
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: barid
resources: [../../overlays/prod]
components: [../../components/$component]
Y
done

failed=0
for folder in deploy/k8s/overlays/*/ tests/kube/overlay/ "$work"/*/; do
  [ -f "$folder/kustomization.yaml" ] || continue
  name=$(basename "$folder")
  [ "$name" != overlay ] || name=tests/kube
  if out=$($KUBECTL kustomize "$folder" | $KUBECTL apply --dry-run=server --validate=strict -f - 2>&1) &&
    ! grep -q '^Warning' <<<"$out"; then
    printf '%-22s %s objects\n' "$name" "$(grep -c . <<<"$out")"
  else
    failed=1
    printf '%-22s\n' "$name"
    grep -v '(server dry run)$' <<<"$out" || true
  fi
done
exit $failed

#!/usr/bin/env bash
# Validates and plans a repository, and shows what came of it. Takes everything
# from the environment: action.yml says what. Exits 0 when the manifests are
# valid and the plan could be made, whatever it says.
set -euo pipefail

MARKER='<!-- lyceum-plan -->'
: "${LYCEUM:?}" "${REPO:=.}" "${CLUSTERS:=}" "${PLAN:=true}" "${COMMENT:=true}" "${PULL_REQUEST:=}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

main() {
    local body=$folder/body.md
    if ! "$LYCEUM" validate --repo "$REPO" >"$folder/validate.txt" 2>&1; then
        annotate <"$folder/validate.txt"
        failed 'the manifests are not valid' "$folder/validate.txt" >"$body"
        show "$body"
        cat "$folder/validate.txt"
        exit 1
    fi
    annotate <"$folder/validate.txt"
    cat "$folder/validate.txt"
    [ "$PLAN" = true ] || return 0
    local code=0 only=()
    for name in $CLUSTERS; do only+=(--cluster "$name"); done
    "$LYCEUM" plan --repo "$REPO" "${only[@]}" --format markdown --detailed-exitcode \
        >"$body" 2>"$folder/plan.txt" || code=$?
    cat "$folder/plan.txt" >&2
    case $code in
    0) output changes false ;;
    2) output changes true ;;
    *) failed 'the plan could not be made' "$folder/plan.txt" >"$body" ;;
    esac
    show "$body"
    [ "$code" -eq 0 ] || [ "$code" -eq 2 ] || exit 1
}

# `file:line:column: error: text [rule]` as GitHub's annotations, whose files
# are counted from the workspace.
annotate() {
    local prefix=
    [ "$REPO" = . ] || prefix=${REPO%/}/
    sed -nE "s|^([^: ]+):([0-9]+):([0-9]+): (error\|warning): (.*)$|::\4 file=$prefix\1,line=\2,col=\3::\5|p"
}

failed() {
    printf '%s\n### Lyceum: %s\n\n```\n' "$MARKER" "$1"
    head -c 50000 "$2"
    printf '\n```\n'
}

output() { [ -z "${GITHUB_OUTPUT:-}" ] || printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; }

show() {
    [ -z "${GITHUB_STEP_SUMMARY:-}" ] || cat "$1" >>"$GITHUB_STEP_SUMMARY"
    [ -n "${GITHUB_STEP_SUMMARY:-}" ] || cat "$1"
    if [ "$COMMENT" = true ] && [ -n "$PULL_REQUEST" ]; then comment "$1"; fi
}

# The one comment: found by its marker, else made.
comment() {
    local comments="repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" id
    gh api --paginate "$comments" \
        --jq ".[] | select(.body | startswith(\"$MARKER\")) | .id" >"$folder/ids"
    id=$(sed -n 1p "$folder/ids")
    if [ -n "$id" ]; then
        gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" -F "body=@$1"
    else
        gh api --silent --method POST "$comments" -F "body=@$1"
    fi
}

main

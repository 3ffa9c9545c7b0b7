# Pulls images into a folder as Docker keeps them, and ends:
# `bake FOLDER NAME DIGEST [NAME DIGEST …]`.
set -eu

into=$1
shift
[ ! -e "$into/complete" ] || exit 0

while read -r _ at type options _; do
    case $type:$options in
    cgroup*:ro,*) mount -o remount,bind,rw "$at" ;;
    esac
done < /proc/mounts

# What was cut short is begun anew.
rm -rf -- "$into/docker"
dockerd --data-root "$into/docker" --bridge none --iptables=false --ip6tables=false \
    > /tmp/dockerd.log 2>&1 &
daemon=$!
until docker version > /tmp/docker.log 2>&1; do
    kill -0 "$daemon" 2> /tmp/docker.log || { tail -n 20 /tmp/dockerd.log >&2; exit 1; }
    sleep 0.1
done
while [ $# -gt 0 ]; do
    docker pull --quiet "$1"
    # Another cloud of the same registry may have given the name to another image.
    docker image inspect --format '{{join .RepoDigests "\n"}}' "$1" | grep -q "@$2\$"
    shift 2
done
kill "$daemon"
wait "$daemon" || true
sync -f "$into"
touch "$into/complete"

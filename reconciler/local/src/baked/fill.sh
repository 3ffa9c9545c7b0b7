# Gives an empty volume of Docker the baked images: `fill BAKED VOLUME`, names in
# /volumes. All of them or none: what tells Docker of them comes last.
set -eu

from=/volumes/$1/_data
to=/volumes/$2/_data
[ -e "$from/complete" ] || exit 0
[ ! -e "$to/image" ] || exit 0
rm -rf -- "$to/.baked" "$to/overlay2"
mkdir -- "$to/.baked"
cp -al -- "$from/docker/overlay2" "$to/.baked/"
cp -a -- "$from/docker/image" "$to/.baked/"
mv -- "$to/.baked/overlay2" "$to/"
mv -- "$to/.baked/image" "$to/"
rmdir -- "$to/.baked"

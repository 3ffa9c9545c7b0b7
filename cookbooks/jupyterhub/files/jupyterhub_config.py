# Written by the role `jupyterhub`. What this hub is stands in settings.json,
# what an operator adds in extra.py; both come from the cluster's manifest.
import os
import sys

sys.path.insert(0, "/etc/jupyterhub")

from lyceum_hub import PLACES, configure, load  # noqa: E402

c = get_config()  # noqa: F821
configure(c, load(PLACES.settings))
if os.path.getsize(PLACES.extra):
    load_subconfig(PLACES.extra)  # noqa: F821

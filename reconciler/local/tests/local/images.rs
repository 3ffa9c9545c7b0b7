//! Images come from the local registry under their production names, and what
//! runs from them is kept from the node's identity.

use lyceum_local::{Image, Node};

use crate::kit::{Cloud, place, say, small_image};

const NAME: &str = "quay.io/lyceum/small:1";

#[test]
fn production_names_are_pulled_from_the_local_registry() {
    let mut cloud = Cloud::open("images");
    let mut spec = cloud.spec("node", 1);
    spec.identity.hop_limit = 2;
    let node = cloud.node(&spec);
    let image = small_image(&cloud.ground, "one");
    let digest = cloud.ground.registry().push(&image, NAME).unwrap();
    let docker_hub = cloud.ground.registry().push(&image, "lyceum/small:1").unwrap();
    assert_eq!(digest, docker_hub);
    cloud.done("pushes");
    node.succeed(&["docker", "pull", NAME]).unwrap();
    node.succeed(&["docker", "pull", "lyceum/small:1"]).unwrap();
    node.succeed(&["docker", "pull", &format!("quay.io/lyceum/small@{digest}")]).unwrap();
    assert_eq!(node.succeed(&["docker", "run", "--rm", NAME, "cat", "/content"]).unwrap(), "one");
    cloud.done("pulls");

    // With two hops a container has the metadata service, until it is kept from it.
    let heard = asks(&node);
    assert!(heard.contains("401"), "{heard}");
    node.shell("iptables -I DOCKER-USER -d 169.254.169.254 -j DROP").unwrap();
    assert!(!asks(&node).contains("401"));
    node.shell("iptables -D DOCKER-USER -d 169.254.169.254 -j DROP").unwrap();
    assert!(asks(&node).contains("401"));
    // With one hop it never has.
    cloud.ground.metadata().change(spec.address, |identity| identity.hop_limit = 1);
    assert!(!asks(&node).contains("401"));
    cloud.done("metadata from a container");

    cloud.ground.registry().stop().unwrap();
    // Docker itself would try for half a minute.
    let reach = ["timeout", "2", "bash", "-c", "exec 3<>/dev/tcp/quay.io/443"];
    assert!(!node.run(&reach).unwrap().success());
    cloud.ground.registry().start().unwrap();
    let other = small_image(&cloud.ground, "two");
    cloud.ground.registry().push(&other, NAME).unwrap();
    node.succeed(&["docker", "pull", NAME]).unwrap();
    assert_eq!(node.succeed(&["docker", "run", "--rm", NAME, "cat", "/content"]).unwrap(), "two");
    cloud.ground.daemon().docker().succeed(&["rmi", &image, &other]).unwrap();
    cloud.done("registry away and back");
    cloud.close();
}

/// The images that hubs and users run are built here, nodes begin with them, and
/// they do what they are for.
#[test]
fn the_hub_and_the_notebook_are_built_and_run() {
    let mut cloud = Cloud::open("python");
    let docker = cloud.ground.daemon().docker().clone();
    // As `lyceum local` names them: it is the same set.
    let names = [
        (Image::Notebook, "quay.io/jupyter/minimal-notebook:local"),
        (Image::Hub, "quay.io/lyceum/hub:local"),
    ];
    for (image, name) in names {
        let tag = image.ensure(&docker, &place(), &|stage| say(stage)).unwrap();
        cloud.done(&format!("{tag} built"));
        cloud.ground.stock(&tag, name).unwrap();
        cloud.done(&format!("{name} stocked"));
    }
    cloud.ground.bake().unwrap();
    cloud.done("baked");
    cloud.ground.bake().unwrap();
    cloud.done("baked already");
    cloud.ground.registry().stop().unwrap();
    let node = cloud.node(&cloud.spec("node", 1));
    let [notebook, hub] = names.map(|(_, name)| name);
    let run = |image: &str, script: &str| {
        node.succeed(&["docker", "run", "--rm", image, "sh", "-ec", script]).unwrap()
    };
    assert_eq!(run(notebook, "id -u; cd; pwd"), "1000\n/home/jovyan");
    let major = |text: String| text.split('.').next().unwrap_or_default().to_owned();
    let server = run(notebook, "jupyterhub-singleuser --version; jupyter lab --version >&2");
    assert_eq!(major(run(hub, "jupyterhub --version")), "5");
    assert_eq!(run(hub, "configurable-http-proxy --version"), "5.3.0");
    assert!(!server.is_empty());
    run(
        hub,
        "python -c 'import dockerspawner, nativeauthenticator, oauthenticator, jupyterhub_idle_culler'",
    );
    for image in [notebook, hub] {
        run(
            image,
            "! python -c 'import aiodns' 2>/dev/null; ! python -c 'import pycares' 2>/dev/null",
        );
    }
    cloud.done("versions");

    // They serve: the hub through its proxy, the notebook by itself.
    let serve = |name: &str, image: &str, command: &str, ask: &str| {
        node.shell(&format!("docker run -d --name {name} --network host {image} {command}"))
            .unwrap();
        let answered = lyceum_local::wait_until(ask, std::time::Duration::from_secs(180), || {
            Ok(node.run(&["curl", "-fsS", "-m", "5", ask])?.success())
        });
        let logs = node.run(&["docker", "logs", "--tail", "40", name]).unwrap().said();
        answered.unwrap_or_else(|error| panic!("{error}\n{logs}"));
    };
    serve("hub", hub, "jupyterhub", "http://127.0.0.1:8000/hub/health");
    serve("notebook", notebook, "jupyter lab --no-browser", "http://127.0.0.1:8888/api");
    cloud.done("hub and notebook answer");

    // What a node does with them is its own affair.
    node.shell("docker rm -f hub notebook && docker image prune -af").unwrap();
    assert!(!node.run(&["docker", "image", "inspect", hub]).unwrap().success());
    let other = cloud.node(&cloud.spec("other", 2));
    for image in [notebook, hub] {
        let (repository, _) = image.rsplit_once(':').unwrap();
        let ask = ["docker", "image", "inspect", "--format", "{{.RepoDigests}}", image];
        assert!(other.succeed(&ask).unwrap().contains(&format!("{repository}@sha256:")));
        let run = ["docker", "run", "--rm", image, "python", "-c", "import jupyterhub"];
        other.succeed(&run).unwrap();
    }
    cloud.done("the same on another node");
    cloud.close();
}

/// What a container on the node hears from the metadata service.
fn asks(node: &Node) -> String {
    let ask = "exec 3<>/dev/tcp/169.254.169.254/80 \
               && printf 'GET /latest/ HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3";
    let run = ["docker", "run", "--rm", NAME, "timeout", "3", "bash", "-c", ask];
    node.run(&run).unwrap().said()
}

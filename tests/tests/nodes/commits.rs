//! What a commit alone brings to the nodes.

use std::time::{Duration, Instant};

use system_tests::live::NOTEBOOK;

use crate::kit::{JOINED, Story};

/// For a commit to be seen by people, with a reconciler that keeps dying.
const SEEN: Duration = Duration::from_secs(240);

pub(crate) fn a_setting_a_template_and_an_image_come_by_commit_alone(story: &mut Story) {
    let image = second_edition(story);
    let announced = "Exam on Friday at 9.";
    let (from, to) =
        ("jupyterhub: {image:", "jupyterhub: {announcement: \"Exam on Friday at 9.\", image:");
    story.live.commit("Tell of the exam", from, to).unwrap();
    let took = story.until("the setting is seen", SEEN, || {
        let page = story.page("/hub/login")?;
        Ok(page["text"].as_str().is_some_and(|text| text.contains(announced)))
    });
    story.took(took, "from the commit to a changed setting of JupyterHub");

    let template = "cookbooks/nginx/templates/nginx.conf";
    let (from, to) = (
        "    location = /.lyceum/health {",
        "    add_header X-Room second always;\n\n    location = /.lyceum/health {",
    );
    story.live.repo.edit(template, from, to).unwrap();
    story.live.repo.commit("Another header").unwrap();
    let took = story.until("the template is seen", SEEN, || {
        Ok(story.page("/hub/login")?["headers"]["X-Room"] == "second")
    });
    story.took(took, "from the commit to a changed template of nginx");

    let revision = story
        .live
        .commit("The second edition", &format!("image: {NOTEBOOK}\n"), &format!("image: {image}\n"))
        .unwrap();
    let begun = Instant::now();
    let everywhere = |all: &crate::kit::Reports| {
        all.len() == 4 && all.values().all(|one| one.ready() && one.revision() == revision)
    };
    story.live.until("the image is everywhere", JOINED, everywhere).unwrap();
    story.took(begun.elapsed(), "from the commit to a notebook image on every worker");
    story.visit("emmy", &["start"]);
    let edition = "import os; print(os.environ.get('EDITION', 'first'))";
    assert_eq!(story.visit("emmy", &["run", edition]), "second");
    // Who works goes on with what there was.
    assert_eq!(story.visit("linus", &["run", edition]), "first");
    story.kernel_lives();
}

/// The notebook image with something more, in the registry; its name.
fn second_edition(story: &Story) -> String {
    let ground = story.live.cloud.ground();
    let docker = ground.daemon().docker();
    let image = lyceum_local::Image::Notebook.tag();
    let tag = format!("lyceum-local/edition:{}", ground.name());
    let recipe = format!("FROM {image}\nENV EDITION=second\n");
    let built = docker
        .run(&["build", "--quiet", "--tag", &tag, "-"], recipe.as_bytes(), Duration::from_secs(120))
        .unwrap();
    assert!(built.success(), "{built:?}");
    let name = format!("{NOTEBOOK}-2");
    ground.registry().push(&tag, &name).unwrap();
    docker.succeed(&["rmi", &tag]).unwrap();
    name
}

//! People sign in over TLS, in a browser, and work.

use crate::kit::Story;

pub(crate) fn two_users_work_each_in_a_home_of_their_own(story: &Story) {
    for (name, other) in [("ada", "grace"), ("grace", "ada")] {
        let said = story.browse(name, "work");
        assert!(said.starts_with(&format!("{name} has [")), "{said}");
        assert!(said.contains(&format!("{name}.txt")) && !said.contains(other), "{said}");
        story.say(&format!("{name} is on {}", story.place_of(name)));
    }
    // Nor through the file system, the other's address, or the administrators' page.
    let look = "import os; print([os.listdir(it) for it in ['/home', '/srv', '/mnt']])";
    assert_eq!(story.visit("grace", &["run", look]), "[['jovyan'], [], []]");
    assert_eq!(story.browse("grace", "forbidden"), "403 403");
    let users = story.browse("ada", "admin");
    assert!(users.contains("ada") && users.contains("grace"), "{users}");
}

pub(crate) fn a_server_starts_elsewhere_and_the_files_are_there(story: &Story) {
    let (before, other) = (story.place_of("ada"), story.place_of("grace"));
    assert_ne!(before, other, "the swarm takes the emptiest node");
    story.browse("ada", "stop");
    // Somebody takes her place, and the other becomes the emptiest.
    story.visit("fay", &["start"]);
    assert_eq!(story.place_of("fay"), before);
    story.visit("grace", &["stop"]);
    let files = story.browse("ada", "open");
    assert_eq!(story.place_of("ada"), other);
    assert!(files.contains("ada.txt") && files.contains("Untitled.ipynb"), "{files}");
    let read = "print(open('ada.txt').read())";
    assert_eq!(story.visit("ada", &["run", read]), "kept");
    story.visit("grace", &["start"]);
    assert_eq!(story.visit("grace", &["run", "print(open('grace.txt').read())"]), "kept");
}

//! Templates: strict, alone, bounded, and honest about what they refer to.

use std::time::Instant;

use lyceum_core::node::step::Action;
use lyceum_core::node::template::{Reference, expression_references, references};
use lyceum_testkit::{planned, role};

use super::{plan_error, plan_of, plan_with};

/// What a text becomes as the content of a file.
fn rendered(text: &str) -> Result<String, String> {
    let quoted = serde_json::to_string(text).unwrap();
    let spec = format!(
        "attributes:\n  port: {{type: integer, description: d, default: 8000}}\n  names: {{type: \
         list, description: d, default: [a, \"b c\", \"d'e\"]}}\nsteps:\n  - {{name: f, file: \
         {{path: /etc/f, content: {quoted}}}}}\n"
    );
    let plan = planned(&[role("r", &spec, &[])]).map_err(|error| error.to_string())?;
    let Action::File(file) = &plan.steps[0].action else { panic!("no file") };
    Ok(file.content.clone().unwrap())
}

#[test]
fn a_text_sees_attributes_cluster_and_node() {
    let text =
        "{{ attributes.port }} {{ cluster.spec.domain }} {{ node.privateIp }} {{ node.memoryMiB }}";
    assert_eq!(rendered(text).unwrap(), "8000 hub.example.edu 10.20.0.11 8192");
}

#[test]
fn what_is_not_defined_is_an_error_that_names_it_and_its_place() {
    let template =
        "server {\n  listen {{ attributes.port }};\n  name {{ cluster.spec.nmae }};\n}\n";
    let spec = "attributes:\n  port: {type: integer, description: d, default: 1}\nsteps:\n  - {name: \
                site, file: {path: /etc/site, template: site.conf}}\n";
    let files = [("templates/site.conf", template)];
    let error = planned(&[role("nginx", spec, &files)]).unwrap_err().to_string();
    assert_eq!(error, "nginx/site: templates/site.conf:3: `cluster.spec.nmae` is not defined");

    let error = plan_error("- {name: f, file: {path: '/etc/{{ attributes.x }}', content: a}}");
    assert_eq!(error, "r/f: file.path:1: `attributes.x` is not defined");
    let error = plan_error("- {name: f, when: attributes.x, file: {path: /etc/f, content: a}}");
    assert_eq!(error, "r/f: when: `attributes.x` is not defined");
}

#[test]
fn nothing_else_is_in_reach() {
    for text in [
        "{{ item }}",
        "{{ env.HOME }}",
        "{{ debug() }}",
        "{{ self }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
    ] {
        assert!(rendered(text).is_err(), "{text}: {:?}", rendered(text));
    }
}

#[test]
fn a_template_ends() {
    let begun = Instant::now();
    let text = "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}";
    let error = rendered(text).unwrap_err();
    assert!(error.contains("does not end in reasonable time"), "{error}");
    assert!(begun.elapsed().as_secs() < 20);
    assert!(rendered(&"{{ 1 }}".repeat(200_000)).unwrap_err().contains("longer than"));
    let long = "{% for a in range(90000) %}0123456789012345678901234567890123456789012345678901234567890{% endfor %}";
    assert!(rendered(long).unwrap_err().contains("longer than"));
}

#[test]
fn the_filters_of_configuration_files_are_there() {
    let names = "{{ attributes.names";
    for (filter, expected) in [
        ("| tojson }}", r#"["a","b c","d'e"]"#),
        ("| map('quote') | join(' ') }}", r"a 'b c' 'd'\''e'"),
        ("| topython }}", r#"["a", "b c", "d'e"]"#),
        ("| length }}", "3"),
    ] {
        let found = rendered(&format!("{names} {filter}")).unwrap();
        assert_eq!(found.replace("\\u0027", "'"), expected);
    }
    assert_eq!(
        rendered("{{ {'a': true, 'b': none} | topython }}").unwrap(),
        r#"{"a": True, "b": None}"#
    );
    assert_eq!(rendered("{{ attributes.missing | default('none') }}").unwrap(), "none");
    assert_eq!(rendered("{{ 'a' | b64encode }}").unwrap(), "YQ==");
    assert_eq!(rendered("{{ '<a>' }}").unwrap(), "<a>");
    assert!(rendered("{{ 'abc' | sha256 }}").unwrap().starts_with("ba7816bf"));
}

#[test]
fn lines_stay_as_they_are_written() {
    let text = "a\n{% if true %}\n  b\n{% endif %}\nc\n";
    assert_eq!(rendered(text).unwrap(), "a\n  b\nc\n");
}

#[test]
fn what_is_no_template_stays_as_it_is() {
    let plan = plan_with(
        "- {name: f, file: {path: /etc/f, file: raw}}",
        &[("files/raw", "{{ not.a.template }}\n")],
    );
    let Action::File(file) = &plan.steps[0].action else { panic!("no file") };
    assert_eq!(file.resolved.as_deref(), Some("e3sgbm90LmEudGVtcGxhdGUgfX0K"));
    let plan = plan_of("- {name: c, command: {run: ['awk', '{ print }'], unless: {exists: /x}}}");
    let Action::Command(command) = &plan.steps[0].action else { panic!("no command") };
    assert_eq!(command.run, ["awk", "{ print }"]);
}

fn at(namespace: &str, path: &str, line: usize, column: usize) -> Reference {
    Reference { namespace: namespace.into(), path: path.into(), line, column }
}

#[test]
fn references_are_found_where_they_stand() {
    let text = "é {{ attributes.port }}\n{% if node.os == 'a {{ node.no }} %}' %}x{% endif %}\n\
                {# attributes.comment #}{% raw %}{{ attributes.raw }}{% endraw %}\n\
                {% for it in cluster.spec.storage.shared %}{{ it.name ~ attributes['x'] }}{% endfor %}\
                {{ unknown | default(attributes.a.items()) }}{{ range(3) }}";
    assert_eq!(
        references(text).unwrap(),
        [
            at("attributes", "port", 1, 6),
            at("node", "os", 2, 7),
            at("cluster", "spec.storage.shared", 4, 14),
            at("attributes", "", 4, 57),
            at("unknown", "", 4, 90),
            at("attributes", "a.items", 4, 108),
        ]
    );
    assert_eq!(references("no template").unwrap(), []);
}

#[test]
fn references_of_expressions_are_found_too() {
    let found = expression_references("attributes.tls and node.group == 'hub'").unwrap();
    assert_eq!(found, [at("attributes", "tls", 1, 1), at("node", "group", 1, 20)]);
}

#[test]
fn what_is_no_template_at_all_says_where() {
    let error = references("a\n{{ attributes. }}").unwrap_err();
    assert_eq!(error.line, 2, "{error}");
    assert!(expression_references("a ==").is_err());
}

#[test]
fn every_reference_to_an_unknown_name_is_an_error_when_rendered() {
    // What `references` shows and what rendering refuses are the same names.
    for text in [
        "{{ a }}",
        "{{ a.b }}",
        "{% if a %}{% endif %}",
        "{% for x in a %}{% endfor %}",
        "{{ 1 + a }}",
    ] {
        assert_eq!(references(text).unwrap().len(), 1, "{text}");
        assert!(rendered(text).is_err(), "{text}");
    }
}

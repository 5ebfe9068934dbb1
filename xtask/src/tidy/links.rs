//! Relative links in documents lead to something.

use super::Finding;
use super::source::line_of;
use super::tree::{Text, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let documents = tree.texts.iter().filter(|file| file.path.ends_with(".md"));
    documents.flat_map(|file| broken_links(tree, file)).collect()
}

fn broken_links(tree: &Tree, file: &Text) -> Vec<Finding> {
    let links = file.text.match_indices("](").filter_map(|(at, mark)| {
        let rest = &file.text[at + mark.len()..];
        Some((at, &rest[..rest.find([')', '\n'])?]))
    });
    let broken = links.filter(|(_, link)| is_relative(link) && !leads_somewhere(tree, file, link));
    let finding = |(at, link): (usize, &str)| {
        let what = format!("the link to {link} leads nowhere");
        Finding::at("link", &file.path, line_of(&file.text, at), what)
    };
    broken.map(finding).collect()
}

fn is_relative(link: &str) -> bool {
    !link.starts_with('#') && !link.contains("://") && !link.starts_with("mailto:")
}

fn leads_somewhere(tree: &Tree, file: &Text, link: &str) -> bool {
    let target = link.split('#').next().unwrap_or_default();
    let mut parts: Vec<&str> = file.path.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." | "" => {}
            ".." if parts.is_empty() => return false,
            ".." => _ = parts.pop(),
            name => parts.push(name),
        }
    }
    parts.is_empty() || tree.paths.contains(&parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(text: &str) -> Vec<String> {
        let tree = Tree::of(&[("docs/a.md", text), ("docs/b.md", ""), ("README.md", "")]);
        check(&tree).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        assert!(whats("[b](b.md) [b](./b.md#part) [r](../README.md) [x](#here)").is_empty());
        assert!(whats("[w](https://example.org/x) [m](mailto:a@example.org)").is_empty());
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        assert_eq!(whats("[c](c.md)"), ["the link to c.md leads nowhere"]);
        assert_eq!(whats("[c](../../out.md)"), ["the link to ../../out.md leads nowhere"]);
    }
}

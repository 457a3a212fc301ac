//! Applications as an admin and a user meet them: the form, the icon, the start page, the address that is learned.

use super::accessibility::{look, look_here};
use super::{Browser, Server, kept};

const CALLBACK: &str = "https://grafana.example.com/login/generic_oauth";

/// An icon as people have them: 64 pixels each way.
const ICON: &[u8] = include_bytes!("icon.png");

/// An application that everybody may open, a site, and the admin's browser at the page of the first.
async fn with_application() -> Option<(Server, Browser, String)> {
    let (server, keeper) = kept().await?;
    let add = [
        "client",
        "add",
        "Grafana",
        "--redirect-uri",
        CALLBACK,
        "--launch-url",
        "https://grafana.example.com",
        "--claim",
        "roles=[\"admin\"]@staff",
    ];
    server.command(&add, "");
    server.command(&["site", "add", "wiki.localhost", "--name", "The wiki"], "");
    keeper.visit(&server.url("/admin/applications")).await;
    keeper.follow("Grafana").await;
    keeper.find("[name=redirect_uris]").await;
    let page = keeper.address().await;
    Some((server, keeper, page))
}

async fn click(browser: &Browser, css: &str) {
    let element = browser.find(css).await;
    element.click().await.expect("a click");
}

#[rocket::async_test]
async fn an_admin_changes_an_application_and_a_mistake_costs_nothing_that_was_typed() {
    let Some((server, keeper, page)) = with_application().await else {
        return;
    };
    look_here(&keeper, "application").await;
    let claims = keeper.find("[name=claims]").await;
    claims.clear().await.expect("an empty field");
    keeper.fill("claims", "sub=\"root\"").await;
    keeper.fill("groups", "staff").await;
    click(&keeper, ".fields button").await;
    keeper.find("#error").await;
    look_here(&keeper, "application refused").await;
    let typed = "return document.querySelector('[name=claims]').value + ' ' + document.querySelector('[name=groups]').value";
    assert_eq!(keeper.run(typed).await, "sub=\"root\" staff");
    let claims = keeper.find("[name=claims]").await;
    claims.clear().await.expect("an empty field");
    keeper.fill("claims", "level=1").await;
    click(&keeper, ".fields button").await;
    keeper.leaves("#error").await;
    keeper.visit(&page).await;
    assert_eq!(keeper.run(typed).await, "level=1 staff");
    look(
        &keeper,
        "all applications",
        &server.url("/admin/applications"),
    )
    .await;
    look(
        &keeper,
        "start without what is for others",
        &server.url("/account"),
    )
    .await;
}

#[rocket::async_test]
async fn an_icon_that_an_admin_uploads_is_on_the_start_page() {
    let Some((server, keeper, page)) = with_application().await else {
        return;
    };
    look(&keeper, "start with letters", &server.url("/account")).await;
    let folder = tempfile::tempdir().expect("a folder");
    let upload = async |name: &str, file: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, file).expect("a file");
        keeper.visit(&page).await;
        let field = keeper.find("#icon-file").await;
        let path = path.to_str().expect("a path");
        field.send_keys(path).await.expect("a file");
        click(&keeper, "form[enctype] button").await;
    };
    upload("icon.svg", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>").await;
    keeper.find("#icon-error").await;
    look_here(&keeper, "icon refused").await;
    upload("icon.png", ICON).await;
    keeper.find(".icon img").await;
    look_here(&keeper, "application with an icon").await;
    keeper.visit(&server.url("/account")).await;
    let loaded = keeper
        .run("return document.querySelector('.shelf img').naturalWidth")
        .await;
    assert_eq!(loaded, 64);
    look_here(&keeper, "start with an icon").await;
}

#[rocket::async_test]
async fn atk_10_an_admin_adds_an_address_that_this_browser_was_refused_with() {
    let Some((server, keeper, page)) = with_application().await else {
        return;
    };
    click(&keeper, "form[action$='/learn'] button").await;
    keeper.leaves("form[action$='/learn']").await;
    look_here(&keeper, "application that is listened to").await;
    let id = page.rsplit('/').next().expect("an id");
    let id = id.split('#').next().expect("an id");
    let other = "https%3A%2F%2F%25D0%25B0pp.example.com%2Fcb";
    for uri in ["https%3A%2F%2Fgrafana.example.com%2Fother", other] {
        let way = format!("/oauth/authorize?response_type=code&client_id={id}&redirect_uri={uri}");
        keeper.visit(&server.url(&way)).await;
        assert!(!keeper.has("main form, main button").await);
    }
    keeper.visit(&page).await;
    keeper.find(".host").await;
    look_here(&keeper, "application with a learned address").await;
    click(&keeper, "form[action$='/learned'] button").await;
    keeper.find("li:only-child form[action$='/learned']").await;
    let uris = keeper
        .run("return document.querySelector('[name=redirect_uris]').value")
        .await;
    assert_eq!(
        uris,
        format!("{CALLBACK}\nhttps://grafana.example.com/other")
    );
}

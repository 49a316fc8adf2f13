//! Every route. Whatever is added here stands behind the [`guard`]: it is put over the whole router,
//! last, and over what is no route too.

use std::sync::Arc;

use axum::Router;
use axum::extract::OriginalUri;
use axum::http::Method;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get};
use signalbox_core::codes::Code;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, SecurityRequirement,
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::api::{
    calls, events, flows, healthz, metrics, queue, readyz, runs, schedules, secrets, source, sync,
    webhooks, workspaces,
};
use crate::app::App;
use crate::guard::guard;
use crate::pages;
use crate::problem::Problem;
use crate::starting::wait_for_start;

/// Where the description of the API is.
pub(crate) const OPENAPI: &str = "/api/openapi.json";

/// Everything that a server answers.
pub(crate) fn router(app: App) -> Router {
    let (router, description) = api().split_for_parts();
    let description: Arc<str> = to_text(&description).into();
    router
        .merge(pages::routes())
        .route(
            OPENAPI,
            get(async move || {
                ([(header::CONTENT_TYPE, "application/json")], description.to_string())
            }),
        )
        .fallback(async |OriginalUri(uri): OriginalUri| {
            Problem::not_found(format!("there is nothing at `{}`", uri.path()))
        })
        .method_not_allowed_fallback(async |method: Method, OriginalUri(uri): OriginalUri| {
            let detail = format!("`{}` does not take {method}", uri.path());
            Problem::new(Code::MethodNotAllowed, detail)
        })
        .layer(from_fn_with_state(app.clone(), wait_for_start))
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

/// The description of the API (`OpenAPI` 3.1), as JSON for people to read.
pub fn openapi() -> String {
    to_text(&api().into_openapi())
}

fn to_text(description: &OpenApi) -> String {
    // It is made of text and maps with text keys, which always become JSON.
    description.to_pretty_json().unwrap_or_default()
}

fn api() -> OpenApiRouter<App> {
    let router = OpenApiRouter::with_openapi(frame())
        .routes(routes!(healthz::healthz))
        .routes(routes!(readyz::readyz))
        .routes(routes!(metrics::metrics))
        .routes(routes!(workspaces::list::list_workspaces))
        .routes(routes!(workspaces::get::get_workspace))
        .routes(routes!(workspaces::health::get_health))
        .routes(routes!(workspaces::sync::sync_workspace))
        .routes(routes!(workspaces::deployments::list_deployments))
        .routes(routes!(workspaces::rollback::rollback))
        .routes(routes!(workspaces::unpin::unpin))
        .routes(routes!(workspaces::pause::pause_workspace))
        .routes(routes!(workspaces::pause::resume_workspace))
        .routes(routes!(source::source))
        .routes(routes!(sync::sync))
        .routes(routes!(flows::list::list_flows))
        .routes(routes!(runs::list::list_runs))
        .routes(routes!(runs::get::get_run))
        .routes(routes!(runs::journal::get_journal))
        .routes(routes!(runs::logs::get_logs))
        .routes(routes!(runs::cancel::cancel_run))
        .routes(routes!(runs::rerun::rerun_run))
        .routes(routes!(runs::dismiss::dismiss_run))
        .routes(routes!(queue::get_queue))
        .routes(routes!(schedules::list::list_schedules))
        .routes(routes!(schedules::next::next_slots))
        .routes(routes!(webhooks::list::list_webhooks))
        .routes(routes!(webhooks::deliver::deliver))
        .routes(routes!(schedules::pause::pause_schedule))
        .routes(routes!(schedules::pause::resume_schedule))
        .routes(routes!(calls::calls))
        .routes(routes!(events::events))
        .routes(routes!(secrets::list::list_secrets))
        .routes(routes!(secrets::put::put_secret, secrets::delete::delete_secret));
    wildcard(
        router,
        flows::ROUTE,
        [routes!(flows::get::get_flow), routes!(flows::start::start_run)],
    )
}

/// Serves operations by one wildcard route and describes each under the path that clients write.
fn wildcard<const N: usize>(
    router: OpenApiRouter<App>,
    route: &str,
    operations: [UtoipaMethodRouter<App>; N],
) -> OpenApiRouter<App> {
    let mut methods = MethodRouter::new();
    let mut router = router;
    let description = router.get_openapi_mut();
    let components = description.components.get_or_insert_default();
    for (schemas, paths, method) in operations {
        components.schemas.extend(schemas);
        description.paths.paths.extend(paths.paths);
        methods = methods.merge(method);
    }
    router.route(route, methods)
}

/// What the description says beside the routes.
fn frame() -> OpenApi {
    let about = "Lists answer `items` and `next`; `next` is the `cursor` of the part behind, null \
                 at the end. Failures are `application/problem+json`. Times are RFC 3339 in UTC. \
                 Without a token the server answers requests from its own machine only.";
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The admin token, when the server has one"))
        .build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Signalbox")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(about)),
        )
        .components(Some(
            ComponentsBuilder::new().security_scheme("token", SecurityScheme::Http(bearer)).build(),
        ))
        .security(Some([SecurityRequirement::new("token", Vec::<String>::new())]))
        .build()
}

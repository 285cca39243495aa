//! Owns the web server of a node as its options say. Promises the address that it took, once it has.
//! Refuses two logins.

use everett_web::{Login, Web, WebConfig};

use crate::args::WebArgs;
use crate::failure::Failure;

/// The web server before the node takes it, and what is to be said of it afterwards.
pub(crate) struct WebServer {
    pub(crate) server: Web,
    pub(super) address: everett_web::BoundAddress,
}

impl WebServer {
    /// As the options say; none where they say so.
    pub(crate) fn new(args: WebArgs) -> Result<Option<WebServer>, Failure> {
        if args.no_web {
            return Ok(None);
        }
        let mut config = WebConfig::default();
        if let Some(listen) = args.webui {
            config.listen = listen;
        }
        let text = match (args.user, args.user_file) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage(
                    "the login is given twice: --user (or EVERETT_USER) and --user-file; leave one of them out",
                ));
            }
            (Some(user), None) => Some(user),
            (None, Some(path)) => Some(std::fs::read_to_string(&path).map_err(|error| {
                Failure::usage(format!("--user-file {}: {error}", path.display()))
            })?),
            (None, None) => None,
        };
        config.login = text
            .map(|text| text.parse::<Login>())
            .transpose()
            .map_err(|error| Failure::usage(format!("{error} (--user, --user-file)")))?;
        let server = Web::new(config);
        Ok(Some(WebServer {
            address: server.bound_address(),
            server,
        }))
    }
}

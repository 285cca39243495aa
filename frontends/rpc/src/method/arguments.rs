//! Owns how arguments come to a method: by place, by name, or both.
//! Promises Core's order of checks and its messages.

use super::{Argument, Method};
use crate::call::At;
use crate::error::{MISC_ERROR, RpcError, TYPE_ERROR};
use crate::json::Json;

/// The name of the world that is asked.
const AT: &str = "at";

/// Arguments by place, and the world that was named.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) places: Vec<Json>,
    pub(crate) at: Option<At>,
}

impl Method {
    /// Brings what was given to its places, and checks its types.
    pub(crate) fn take(&self, params: &Json) -> Result<Given, RpcError> {
        let given = match params {
            Json::Array(places) => Given {
                places: places.clone(),
                at: None,
            },
            Json::Object(fields) => self.by_name(fields)?,
            _ => Given::default(),
        };
        let required = self
            .arguments
            .iter()
            .rposition(|argument| !argument.is_optional())
            .map_or(0, |last| last + 1);
        if given.places.len() < required || given.places.len() > self.arguments.len() {
            return Err(RpcError::new(MISC_ERROR, self.help()));
        }
        self.check_types(&given.places)?;
        Ok(given)
    }

    fn check_types(&self, places: &[Json]) -> Result<(), RpcError> {
        let mut wrong = Json::Object(Vec::new());
        for (index, argument) in self.arguments.iter().enumerate() {
            let value = places.get(index).unwrap_or(&Json::Null);
            let Some(expected) = argument.kind.expected() else {
                continue;
            };
            if value.type_name() == expected || (value.is_null() && argument.is_optional()) {
                continue;
            }
            let place = format!("Position {} ({})", index + 1, argument.names);
            let message = format!(
                "JSON value of type {} is not of expected type {expected}",
                value.type_name()
            );
            wrong.push(&place, message);
        }
        match wrong.object() {
            Ok([]) => Ok(()),
            _ => Err(RpcError::new(
                TYPE_ERROR,
                format!("Wrong type passed:\n{}", wrong.write_lines()),
            )),
        }
    }

    fn by_name(&self, fields: &[(String, Json)]) -> Result<Given, RpcError> {
        let mut left: Vec<&(String, Json)> = Vec::with_capacity(fields.len());
        let mut at = None;
        for field in fields {
            let (name, value) = field;
            let twice = left.iter().any(|(other, _)| other == name);
            if twice || (name == AT && at.is_some()) {
                return Err(twice_named(name));
            }
            match self.at && name == AT {
                true => at = Some(At::parse(value)?),
                false => left.push(field),
            }
        }
        let mut places = Vec::new();
        let mut hole = 0;
        let mut initial_hole = 0;
        let mut initial: Option<&str> = None;
        for argument in self.arguments {
            let options = take_options(argument, &mut left)?;
            let found = take_named(argument, &mut left);
            if options.is_empty() && found.is_none() {
                hole += 1;
                if places.is_empty() {
                    initial_hole = hole;
                }
                continue;
            }
            places.extend((0..hole).map(|_| Json::Null));
            hole = 0;
            initial.get_or_insert(argument.names);
            match (found, options.first()) {
                (Some((name, _)), Some((option, _))) => {
                    return Err(RpcError::parameter(format!(
                        "Parameter {name} conflicts with parameter {option}"
                    )));
                }
                (Some((_, value)), None) => places.push(value.clone()),
                (None, _) => places.push(Json::Object(options)),
            }
        }
        let args = left
            .iter()
            .position(|(name, _)| name == "args")
            .map(|index| left.remove(index));
        if let Some((_, Json::Array(first))) = args {
            if let (true, Some(name)) = (initial_hole < first.len(), initial) {
                return Err(RpcError::parameter(format!(
                    "Parameter {name} specified twice both as positional and named argument"
                )));
            }
            let named = std::mem::replace(&mut places, first.clone());
            places.extend(named.into_iter().skip(first.len()));
        }
        // Core names the one that its hash table has first, which is the last that went in.
        match left.last() {
            Some((name, _)) => Err(RpcError::parameter(format!(
                "Unknown named parameter {name}"
            ))),
            None => Ok(Given { places, at }),
        }
    }
}

fn twice_named(name: &str) -> RpcError {
    RpcError::parameter(format!("Parameter {name} specified multiple times"))
}

type Field = (String, Json);

/// Takes what is given for an argument under one of its names.
fn take_named<'a>(argument: &Argument, left: &mut Vec<&'a Field>) -> Option<&'a Field> {
    let place = argument
        .names
        .split('|')
        .find_map(|name| left.iter().position(|(given, _)| given == name))?;
    Some(left.remove(place))
}

/// Takes what is given for the options of an argument.
fn take_options(
    argument: &Argument,
    left: &mut Vec<&Field>,
) -> Result<Vec<(String, Json)>, RpcError> {
    let mut options: Vec<(String, Json)> = Vec::new();
    for option in argument.options {
        if let Some((name, value)) = take_named(option, left) {
            if options.iter().any(|(other, _)| other == name) {
                return Err(twice_named(name));
            }
            options.push((name.clone(), value.clone()));
        }
    }
    Ok(options)
}

//! Owns the cookie file, by which programs of the same user log in.
//! Promises that nobody else ever sees its content, and that it goes when the server does.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bitcoin::hex::DisplayHex;

use crate::config::CookiePermissions;

/// The name that the cookie proves.
pub(crate) const USER: &str = "__cookie__";

/// The file, for as long as the server runs.
pub(crate) struct Cookie {
    path: PathBuf,
    password: String,
}

impl Cookie {
    /// Writes a new one.
    pub(crate) fn write(path: &Path, permissions: CookiePermissions) -> io::Result<Cookie> {
        let secret: [u8; 32] = bitcoin::secp256k1::rand::random();
        let password = secret.to_lower_hex_string();
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        // One that was left behind may be open to others.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(format!("{USER}:{password}").as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(permissions.mode()))?;
        fs::rename(&temporary, path)?;
        Ok(Cookie {
            path: path.to_owned(),
            password,
        })
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }
}

impl Drop for Cookie {
    fn drop(&mut self) {
        // Another node may have written its own over it, or somebody removed it.
        let ours = format!("{USER}:{}", self.password);
        if fs::read_to_string(&self.path).is_ok_and(|text| text == ours) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_for_its_user_alone_and_goes_with_the_server() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".cookie");
        let cookie = Cookie::write(&path, CookiePermissions::Owner).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("__cookie__:{}", cookie.password()));
        assert_eq!(cookie.password().len(), 64);
        drop(cookie);
        assert!(!path.exists());
    }

    #[test]
    fn another_nodes_cookie_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".cookie");
        let first = Cookie::write(&path, CookiePermissions::Group).unwrap();
        let second = Cookie::write(&path, CookiePermissions::All).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
    }
}

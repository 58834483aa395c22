//! Where objects are kept: a folder, or a bucket of a service that speaks S3.

use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

/// A place for objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket, and what the names of all objects in it begin with. Endpoint, region and keys come from
    /// the usual environment variables (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, …).
    Bucket {
        /// Its name.
        bucket: String,
        /// Folders in it, without slashes at the ends.
        prefix: String,
    },
}

/// Why a text names no place for objects. It never repeats the text, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// It is no URL.
    #[error("it is no URL")]
    Url,
    /// Its scheme is none of those known.
    #[error("it begins with neither file:// nor s3://")]
    Scheme,
    /// It is no path of this machine.
    #[error("a file:// URL names a folder of this machine, as in file:///srv/blobs")]
    Path,
    /// It names no bucket.
    #[error("an s3:// URL names a bucket, as in s3://bucket/prefix")]
    Bucket,
    /// It holds what does not belong there.
    #[error("keys and options do not belong into the URL; set AWS_ACCESS_KEY_ID and the like")]
    Extra,
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let url = Url::parse(text).map_err(|_| LocationError::Url)?;
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.port().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !bare {
            return Err(LocationError::Extra);
        }
        match url.scheme() {
            "file" => url
                .to_file_path()
                .map(Self::Folder)
                .map_err(|()| LocationError::Path),
            "s3" => Ok(Self::Bucket {
                bucket: url.host_str().ok_or(LocationError::Bucket)?.to_owned(),
                prefix: url.path().trim_matches('/').to_owned(),
            }),
            _ => Err(LocationError::Scheme),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_from_urls() {
        let folder = "file:///srv/my%20blobs".parse();
        let bucket = "s3://photos/grove/blobs/".parse();

        assert_eq!(folder, Ok(Location::Folder("/srv/my blobs".into())));
        assert_eq!(
            bucket,
            Ok(Location::Bucket {
                bucket: "photos".into(),
                prefix: "grove/blobs".into()
            })
        );
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for (text, expected) in [
            ("/srv/blobs", LocationError::Url),
            ("memory:///", LocationError::Scheme),
            ("https://example.org/blobs", LocationError::Scheme),
            ("file://other.example/blobs", LocationError::Path),
            ("s3:///blobs", LocationError::Bucket),
            ("s3://key:secret@bucket/", LocationError::Extra),
            ("s3://bucket/?region=x", LocationError::Extra),
        ] {
            assert_eq!(text.parse::<Location>(), Err(expected), "{text}");
        }
    }
}

//! A worker that makes thumbnails: a job names an image and a width in JSON, and the thumbnail is put beside it.
//!
//! ```text
//! cargo run -p geartrain-client --example image_thumbnails -- localhost:4730
//! gearman -f thumbnail '{"image": "/tmp/photo.jpg", "width": 200}'
//! {"thumbnail":"/tmp/photo.thumb.jpg","width":200,"height":133}
//! ```
//!
//! Resizing keeps a core busy, so the handler is one that may block; there is a thread for each job in hand.

use geartrain_client::Json;
use geartrain_client::Worker;
use geartrain_client::worker::{Ability, Job, ReportError, WorkerBuilder};
use image::{ImageError, ImageReader};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// What a job asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// A JPEG or PNG file, on a disk that client and worker share.
    image: PathBuf,
    /// Width of the thumbnail in pixels; its height follows.
    width: u32,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Thumbnail {
    thumbnail: PathBuf,
    width: u32,
    height: u32,
}

/// Why there is no thumbnail. The client gets it with its causes, as an exception.
#[derive(Debug, Error)]
enum ThumbnailError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is no image", path.display())]
    Decode { path: PathBuf, source: ImageError },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: ImageError },
    #[error("a thumbnail has a width of 1 to 4096 pixels, not {0}")]
    Width(u32),
    /// The job was lost with its server, which gives it to another worker: no use to go on.
    #[error(transparent)]
    Lost(#[from] ReportError),
}

fn thumbnail(job: Job, Json(request): Json<Request>) -> Result<Json<Thumbnail>, ThumbnailError> {
    let Request { image: path, width } = request;
    if !(1..=4096).contains(&width) {
        return Err(ThumbnailError::Width(width));
    }
    let reader = ImageReader::open(&path).and_then(ImageReader::with_guessed_format);
    let reader = reader.map_err(|source| ThumbnailError::Read { path: path.clone(), source })?;
    let original = reader.decode().map_err(|source| ThumbnailError::Decode { path: path.clone(), source })?;
    job.blocking_status(1, 3)?;
    let small = original.thumbnail(width, u32::MAX);
    job.blocking_status(2, 3)?;
    let extension = path.extension().unwrap_or_default().display();
    let to = path.with_extension(format!("thumb.{extension}"));
    small.save(&to).map_err(|source| ThumbnailError::Write { path: to.clone(), source })?;
    job.blocking_status(3, 3)?;
    Ok(Json(Thumbnail { thumbnail: to, width: small.width(), height: small.height() }))
}

fn worker(server: &str) -> WorkerBuilder {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Worker::builder()
        .servers(server)
        .register_blocking(Ability::new("thumbnail").timeout(Duration::from_secs(60)), thumbnail)
        .at_once(cores)
        .stop_on_signals()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "localhost:4730".to_owned());
    worker(&server).build()?.run().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use geartrain_client::JobError;
    use geartrain_client::blocking::Client;
    use geartrain_testserver::TestServer;
    use image::{Rgb, RgbImage};
    use std::path::Path;

    /// The left half is red, the right half blue.
    fn draw(path: &Path, width: u32, height: u32) {
        let color = |x| if x < width / 2 { Rgb([200, 0, 0]) } else { Rgb([0, 0, 200]) };
        RgbImage::from_fn(width, height, |x, _| color(x)).save(path).unwrap();
    }

    /// The result of a job, or its exception.
    fn run(client: &Client, request: &serde_json::Value) -> Result<Thumbnail, String> {
        match client.job("thumbnail", Json(request)).run_as() {
            Ok(Json(thumbnail)) => Ok(thumbnail),
            Err(JobError::Exception { exception, .. }) => Err(String::from_utf8(exception.to_vec()).unwrap()),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn thumbnails_are_made_of_real_files() {
        let server = TestServer::start().unwrap();
        let worker = worker(server.address()).build_blocking().unwrap();
        let shutdown = worker.shutdown_handle();
        let thread = std::thread::spawn(|| worker.run().unwrap());
        let client = Client::new(server.address()).unwrap();

        let folder = tempfile::tempdir().unwrap();
        for name in ["photo.png", "photo.jpg"] {
            let path = folder.path().join(name);
            draw(&path, 600, 400);
            let request = serde_json::json!({ "image": path, "width": 150 });
            let made = run(&client, &request).unwrap();
            let to = folder.path().join(name.replace("photo", "photo.thumb"));
            assert_eq!(made, Thumbnail { thumbnail: to, width: 150, height: 100 });
            let image = image::open(&made.thumbnail).unwrap().to_rgb8();
            assert_eq!(image.dimensions(), (150, 100));
            let (left, right) = (image.get_pixel(20, 50), image.get_pixel(130, 50));
            assert!(left.0[0] > 150 && left.0[2] < 50, "{left:?} is red");
            assert!(right.0[2] > 150 && right.0[0] < 50, "{right:?} is blue");
        }

        let broken = folder.path().join("broken.png");
        std::fs::write(&broken, b"\x89PNG\r\n\x1a\nand no more").unwrap();
        let request = serde_json::json!({ "image": broken, "width": 150 });
        let error = run(&client, &request).unwrap_err();
        assert!(error.starts_with(&format!("{} is no image: ", broken.display())), "{error}");
        let missing = folder.path().join("missing.png");
        let request = serde_json::json!({ "image": missing, "width": 150 });
        let error = run(&client, &request).unwrap_err();
        assert!(error.starts_with(&format!("cannot read {}: No such file", missing.display())), "{error}");
        let error = run(&client, &serde_json::json!({ "image": "a.png", "width": 0 })).unwrap_err();
        assert_eq!(error, "a thumbnail has a width of 1 to 4096 pixels, not 0");

        shutdown.shutdown();
        assert_eq!(thread.join().unwrap().jobs, 5);
    }
}

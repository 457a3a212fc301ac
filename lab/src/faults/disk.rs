//! A small disk of its own for an instance's data: an ext4 file system in a file.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use xtask::run::{Outcome, Stop, failed};

use super::testbed::Testbed;
use crate::driver::Instance;

/// Unmounted when it is dropped.
pub struct Disk {
    image: PathBuf,
    mounted_at: PathBuf,
}

impl Disk {
    /// `Err` is the reason why this machine cannot mount one.
    pub fn mount(testbed: &Testbed, instance: &Instance, mebibytes: u64) -> Result<Self, String> {
        Self::mount_at(testbed, &instance.data(), mebibytes)
    }

    /// In a folder; what the disk is made of stands beside it.
    pub fn mount_at(testbed: &Testbed, folder: &Path, mebibytes: u64) -> Result<Self, String> {
        if !testbed.is_root {
            return Err("only root may mount a disk".to_owned());
        }
        let disk = Self {
            image: folder.with_added_extension("disk"),
            mounted_at: folder.to_owned(),
        };
        let made = File::create(&disk.image).and_then(|image| image.set_len(mebibytes << 20));
        made.map_err(|error| format!("{}: {error}", disk.image.display()))?;
        run_quietly(
            Command::new("mkfs.ext4")
                .args(["-q", "-m", "0"])
                .arg(&disk.image),
        )?;
        disk.attach()?;
        Ok(disk)
    }

    /// `errors=remount-ro`, as most systems mount their disks.
    pub fn attach(&self) -> Result<(), String> {
        let mut mount = Command::new("mount");
        mount
            .args(["-o", "loop,errors=remount-ro"])
            .arg(&self.image);
        run_quietly(mount.arg(&self.mounted_at))
    }

    /// What was copied to it is there after the kernel gives it up.
    pub fn sync(&self) -> Outcome {
        run_quietly(Command::new("sync").arg("-f").arg(&self.mounted_at)).map_err(Stop::because)
    }

    pub fn detach(&self) -> Result<(), String> {
        run_quietly(Command::new("umount").arg(&self.mounted_at))
    }

    /// Has the kernel find an error on it, after which it writes no more.
    pub fn cause_error(&self) -> Outcome {
        let loops = Command::new("findmnt")
            .args(["-n", "-o", "SOURCE"])
            .arg(&self.mounted_at)
            .output()
            .map_err(failed("findmnt"))?;
        let device = String::from_utf8_lossy(&loops.stdout);
        let name = device.trim().trim_start_matches("/dev/");
        let trigger = format!("/sys/fs/ext4/{name}/trigger_fs_error");
        fs::write(&trigger, "as the test wants it").map_err(failed(&trigger))
    }

    /// Until nothing more fits.
    pub fn fill(&self) -> Outcome {
        let mut ballast = File::create(self.ballast()).map_err(failed("ballast"))?;
        let _ = std::iter::repeat_with(|| ballast.write_all(&[0; 1 << 16]))
            .take_while(Result::is_ok)
            .count();
        while ballast.write_all(&[0]).is_ok() {}
        Ok(())
    }

    pub fn free(&self) -> Outcome {
        fs::remove_file(self.ballast()).map_err(failed("ballast"))
    }

    fn ballast(&self) -> PathBuf {
        self.mounted_at.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.detach();
    }
}

/// Runs it; what it complains of.
pub fn run_quietly(command: &mut Command) -> Result<(), String> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command.stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

//! Redirects: the target is behind another portal (RFC 7143 section 11.13.5).

use alloc::vec::Vec;

use super::{LoginError, TargetAddress};

/// Redirects that are followed in a row.
pub const REDIRECTS_MAX: usize = 8;

/// Where to log in instead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Redirect {
    /// True for 0102: the address may be stored. False for 0101: the next login begins again at
    /// the configured portal.
    pub is_permanent: bool,
    /// The portal.
    pub to: TargetAddress,
}

/// The portals that one login has been sent to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RedirectTrail {
    seen: Vec<TargetAddress>,
}

impl RedirectTrail {
    /// Begins at the configured portal.
    pub fn begin(at: TargetAddress) -> RedirectTrail {
        RedirectTrail { seen: Vec::from([at]) }
    }

    /// One more step.
    ///
    /// # Errors
    /// `RedirectLoop` where the portal was tried before, or after `REDIRECTS_MAX` steps.
    pub fn follow(&mut self, redirect: &Redirect) -> Result<(), LoginError> {
        let same =
            |seen: &TargetAddress| seen.host == redirect.to.host && seen.port == redirect.to.port;
        if self.seen.iter().any(same) || self.seen.len() > REDIRECTS_MAX {
            return Err(LoginError::RedirectLoop);
        }
        self.seen.push(redirect.to.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn to(text: &str) -> Redirect {
        Redirect { is_permanent: false, to: TargetAddress::parse(text).unwrap() }
    }

    #[test]
    fn rfc_point_12_a_redirect_in_a_circle_ends() {
        let mut trail = RedirectTrail::begin(to("a").to);
        assert_eq!(trail.follow(&to("b")), Ok(()));
        assert_eq!(trail.follow(&to("a:3260,7")), Err(LoginError::RedirectLoop));
    }

    #[test]
    fn rfc_point_12_redirects_without_end_end() {
        let mut trail = RedirectTrail::begin(to("a").to);
        for port in 1..=REDIRECTS_MAX {
            assert_eq!(trail.follow(&to(&format!("a:{port}"))), Ok(()));
        }
        assert_eq!(trail.follow(&to("z")), Err(LoginError::RedirectLoop));
    }
}

//! Asking a portal which targets it knows (SendTargets, RFC 7143 section 4.3 and appendix C).

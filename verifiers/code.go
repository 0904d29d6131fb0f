package verifiers

// A Code says why: the outcome's stable name, on which other people's programs
// rely. Codes are never renamed and never reused. The zero Code is none.
type Code string

// The codes of a verdict (contract §5).
const (
	OK Code = "OK"

	FormatMalformed       Code = "FORMAT_MALFORMED"
	FormatDuplicateMember Code = "FORMAT_DUPLICATE_MEMBER"
	HeaderInvalid         Code = "HEADER_INVALID"
	HeaderNotAllowed      Code = "HEADER_NOT_ALLOWED"
	ClaimMissing          Code = "CLAIM_MISSING"
	ClaimInvalid          Code = "CLAIM_INVALID"

	IssuerNotRecognised Code = "ISSUER_NOT_RECOGNISED"
	IssuerSuspended     Code = "ISSUER_SUSPENDED"
	IssuerNotAuthorised Code = "ISSUER_NOT_AUTHORISED"
	TrustListExpired    Code = "TRUST_LIST_EXPIRED"

	KeyNotFound         Code = "KEY_NOT_FOUND"
	KeyRevoked          Code = "KEY_REVOKED"
	KeyOutsideWindow    Code = "KEY_OUTSIDE_WINDOW"
	AlgorithmNotAllowed Code = "ALGORITHM_NOT_ALLOWED"
	KeysUnavailable     Code = "KEYS_UNAVAILABLE"

	SignatureInvalid Code = "SIGNATURE_INVALID"
	DigestMismatch   Code = "DIGEST_MISMATCH"

	NotYetValid    Code = "NOT_YET_VALID"
	Expired        Code = "EXPIRED"
	IssuedInFuture Code = "ISSUED_IN_FUTURE"

	USCCInvalid     Code = "USCC_INVALID"
	SubjectMismatch Code = "SUBJECT_MISMATCH"

	HolderProofInvalid Code = "HOLDER_PROOF_INVALID"
	HolderProofMissing Code = "HOLDER_PROOF_MISSING"

	StatusRevoked          Code = "STATUS_REVOKED"
	StatusSuspended        Code = "STATUS_SUSPENDED"
	StatusNotValid         Code = "STATUS_NOT_VALID"
	StatusReferenceInvalid Code = "STATUS_REFERENCE_INVALID"
	StatusMissing          Code = "STATUS_MISSING"
	StatusUnavailable      Code = "STATUS_UNAVAILABLE"

	RegistrationRevoked      Code = "REGISTRATION_REVOKED"
	RegistrationCancelled    Code = "REGISTRATION_CANCELLED"
	RegistrationAnnulled     Code = "REGISTRATION_ANNULLED"
	RegistrationMoved        Code = "REGISTRATION_MOVED"
	RegistrationNotFound     Code = "REGISTRATION_NOT_FOUND"
	LicenceSuperseded        Code = "LICENCE_SUPERSEDED"
	RegistryUnavailable      Code = "REGISTRY_UNAVAILABLE"
	RegistrationStateUnknown Code = "REGISTRATION_STATE_UNKNOWN"
)

// The warnings, which never change a verdict, in the order in which they are listed.
const (
	WarnUSCCException      Code = "USCC_CHECK_EXCEPTION"
	WarnRegionDiffers      Code = "REGION_DIFFERS"
	WarnNameDiffers        Code = "NAME_DIFFERS"
	WarnTermEnded          Code = "TERM_ENDED"
	WarnStandingStale      Code = "STANDING_STALE"
	WarnHolderProofUnbound Code = "HOLDER_PROOF_UNBOUND"
)

// The codes of receipts that are checked or handed in place of a credential
// (contract §6.2, §10).
const (
	ReceiptMalformed           Code = "RECEIPT_MALFORMED"
	ReceiptIssuerNotRecognised Code = "RECEIPT_ISSUER_NOT_RECOGNISED"
	ReceiptSignatureInvalid    Code = "RECEIPT_SIGNATURE_INVALID"
	ReceiptExpired             Code = "RECEIPT_EXPIRED"
)

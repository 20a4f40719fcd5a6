// SPDX-License-Identifier: Apache-2.0
// What a refused segment or message says. Never thrown on an audio thread.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace bandmate::protocol
{

namespace error_code
{
inline constexpr const char* bad_message = "bad_message"; // not a msgpack map of this schema
inline constexpr const char* bad_field = "bad_field"; // a field is missing, of a wrong type or out of range
inline constexpr const char* bad_token = "bad_token"; // not the token of the discovery file
inline constexpr const char* bad_segment = "bad_segment"; // the shared memory is not a valid segment
inline constexpr const char* unsupported_version = "unsupported_version";
inline constexpr const char* unknown_type = "unknown_type";
inline constexpr const char* unknown_model = "unknown_model";
inline constexpr const char* unknown_session = "unknown_session";
inline constexpr const char* model_failed = "model_failed"; // the bundle could not be loaded or stepped
inline constexpr const char* too_many_sessions = "too_many_sessions";
inline constexpr const char* shutting_down = "shutting_down";
inline constexpr const char* io = "io"; // the operating system refused: disk, permission, memory
inline constexpr const char* cancelled = "cancelled"; // by this client itself
inline constexpr const char* internal = "internal";

inline constexpr const char* all[] = {
    bad_message,   bad_field,       bad_token,    bad_segment,       unsupported_version, unknown_type,
    unknown_model, unknown_session, model_failed, too_many_sessions, shutting_down,       io,
    cancelled,     internal,
};
} // namespace error_code

// `what()` says what is wrong in one line, `hint()` what to do (may be empty), `code()` is one of error_code.
class Error : public std::runtime_error
{
public:
    Error (std::string code, const std::string& message, std::string hint = {})
        : std::runtime_error (message), code_ (std::move (code)), hint_ (std::move (hint))
    {
    }

    const std::string& code() const noexcept { return code_; }
    const std::string& hint() const noexcept { return hint_; }

private:
    std::string code_;
    std::string hint_;
};

} // namespace bandmate::protocol

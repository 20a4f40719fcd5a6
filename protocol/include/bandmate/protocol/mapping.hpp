// SPDX-License-Identifier: Apache-2.0
// A file mapped into memory, shared with another process. The only file that knows the operating system.
#pragma once

#include "errors.hpp"

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#if defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace bandmate::protocol
{

// One clock for both processes, in nanoseconds; only differences mean anything.
inline std::uint64_t monotonic_ns() noexcept
{
    using namespace std::chrono;
    return static_cast<std::uint64_t> (
        duration_cast<nanoseconds> (steady_clock::now().time_since_epoch()).count());
}

inline std::uint32_t process_id() noexcept
{
#if defined(_WIN32)
    return static_cast<std::uint32_t> (GetCurrentProcessId());
#else
    return static_cast<std::uint32_t> (getpid());
#endif
}

// Removes the file's name; mappings stay valid. False if there was none (or it could not be removed).
inline bool unlink_file (const std::string& path) noexcept
{
#if defined(_WIN32)
    return DeleteFileA (path.c_str()) != 0;
#else
    return ::unlink (path.c_str()) == 0;
#endif
}

// Owns a read-write mapping of a whole file and ends it. Not for audio threads, except data().
class Mapping
{
public:
    Mapping() = default;

    // A new file of `bytes` zeros, readable by this user only; it must not exist. Its blocks are really
    // written, so that a full disk is an error here and not a fault on the audio thread. Throws Error(io).
    static Mapping create (const std::string& path, std::uint64_t bytes);

    // An existing regular file of this user that nobody else may open. Throws Error(bad_segment or io).
    static Mapping open (const std::string& path, std::uint64_t bytes_maximum);

    ~Mapping() { reset(); }
    Mapping (const Mapping&) = delete;
    Mapping& operator= (const Mapping&) = delete;
    Mapping (Mapping&& other) noexcept { swap (other); }

    Mapping& operator= (Mapping&& other) noexcept
    {
        reset();
        swap (other);
        return *this;
    }

    std::byte* data() const noexcept { return data_; }
    std::uint64_t bytes() const noexcept { return bytes_; }

private:
    void swap (Mapping& other) noexcept
    {
        std::swap (data_, other.data_);
        std::swap (bytes_, other.bytes_);
    }

    [[noreturn]] static void fail (const std::string& what, const std::string& path)
    {
#if defined(_WIN32)
        const std::error_code reason (static_cast<int> (GetLastError()), std::system_category());
#else
        const std::error_code reason (errno, std::generic_category());
#endif
        throw Error (error_code::io, what + " " + path + ": " + reason.message() + ".",
                     "Check the space and the permissions of the folder it is in.");
    }

    void reset() noexcept;

    std::byte* data_ = nullptr;
    std::uint64_t bytes_ = 0;
};

#if defined(_WIN32)

namespace detail
{
// Maps an open file and closes its handle: a view keeps the file alive. nullptr on failure.
inline void* map_windows (HANDLE file)
{
    HANDLE section = CreateFileMappingA (file, nullptr, PAGE_READWRITE, 0, 0, nullptr);
    void* view = section == nullptr ? nullptr : MapViewOfFile (section, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    const auto reason = GetLastError();
    if (section != nullptr)
        CloseHandle (section);
    CloseHandle (file);
    SetLastError (reason);
    return view;
}

constexpr DWORD share_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
} // namespace detail

// The user's own profile folder keeps others out; there is no mode to set.
inline Mapping Mapping::create (const std::string& path, std::uint64_t bytes)
{
    HANDLE file = CreateFileA (path.c_str(), GENERIC_READ | GENERIC_WRITE, detail::share_all, nullptr,
                               CREATE_NEW, FILE_ATTRIBUTE_TEMPORARY, nullptr);
    if (file == INVALID_HANDLE_VALUE)
        fail ("Cannot create", path);
    LARGE_INTEGER end;
    end.QuadPart = static_cast<LONGLONG> (bytes);
    if (!SetFilePointerEx (file, end, nullptr, FILE_BEGIN) || !SetEndOfFile (file))
    {
        CloseHandle (file);
        unlink_file (path);
        fail ("Cannot write", path);
    }
    Mapping mapping;
    mapping.data_ = static_cast<std::byte*> (detail::map_windows (file));
    if (mapping.data_ == nullptr)
        fail ("Cannot map", path);
    mapping.bytes_ = bytes;
    return mapping;
}

inline Mapping Mapping::open (const std::string& path, std::uint64_t bytes_maximum)
{
    HANDLE file = CreateFileA (path.c_str(), GENERIC_READ | GENERIC_WRITE, detail::share_all, nullptr,
                               OPEN_EXISTING, 0, nullptr);
    if (file == INVALID_HANDLE_VALUE)
        fail ("Cannot open", path);
    LARGE_INTEGER size;
    if (!GetFileSizeEx (file, &size) || size.QuadPart <= 0 ||
        static_cast<std::uint64_t> (size.QuadPart) > bytes_maximum)
    {
        CloseHandle (file);
        throw Error (error_code::bad_segment, path + " has a size no segment has.", "Reload the plugin.");
    }
    Mapping mapping;
    mapping.data_ = static_cast<std::byte*> (detail::map_windows (file));
    if (mapping.data_ == nullptr)
        fail ("Cannot map", path);
    mapping.bytes_ = static_cast<std::uint64_t> (size.QuadPart);
    return mapping;
}

inline void Mapping::reset() noexcept
{
    if (data_ != nullptr)
        UnmapViewOfFile (data_);
    data_ = nullptr;
    bytes_ = 0;
}

#else

namespace detail
{
class Descriptor
{
public:
    explicit Descriptor (int fd) noexcept : fd_ (fd) {}
    ~Descriptor()
    {
        if (fd_ >= 0)
            ::close (fd_);
    }
    Descriptor (const Descriptor&) = delete;
    Descriptor& operator= (const Descriptor&) = delete;
    int get() const noexcept { return fd_; }

private:
    int fd_;
};

inline bool write_zeros (int fd, std::uint64_t bytes)
{
    const std::vector<char> zeros (std::size_t{1} << 16, 0);
    while (bytes > 0)
    {
        const auto part = bytes < zeros.size() ? static_cast<std::size_t> (bytes) : zeros.size();
        const auto written = ::write (fd, zeros.data(), part);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes -= static_cast<std::uint64_t> (written);
    }
    return true;
}

// Pages are mapped and, as far as the system allows, locked now: a first touch on the audio thread costs
// nothing.
inline void* map_posix (int fd, std::uint64_t bytes) noexcept
{
#if defined(MAP_POPULATE)
    constexpr int flags = MAP_SHARED | MAP_POPULATE;
#else
    constexpr int flags = MAP_SHARED;
#endif
    void* data = ::mmap (nullptr, static_cast<std::size_t> (bytes), PROT_READ | PROT_WRITE, flags, fd, 0);
    if (data == MAP_FAILED)
        return nullptr;
    (void) ::mlock (data, static_cast<std::size_t> (bytes)); // best effort: many users may lock little
    return data;
}
} // namespace detail

inline Mapping Mapping::create (const std::string& path, std::uint64_t bytes)
{
    const detail::Descriptor file (
        ::open (path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0)
        fail ("Cannot create", path);
    Mapping mapping;
    if (::fchmod (file.get(), 0600) == 0 && detail::write_zeros (file.get(), bytes))
        mapping.data_ = static_cast<std::byte*> (detail::map_posix (file.get(), bytes));
    if (mapping.data_ == nullptr)
    {
        const auto reason = errno;
        unlink_file (path);
        errno = reason;
        fail ("Cannot write", path);
    }
    mapping.bytes_ = bytes;
    return mapping;
}

inline Mapping Mapping::open (const std::string& path, std::uint64_t bytes_maximum)
{
    const auto refuse = [&path] (const std::string& what)
    {
        throw Error (error_code::bad_segment, path + " " + what,
                     "Reload the plugin so that it makes a new segment.");
    };

    // O_NONBLOCK: a FIFO put there must not hang the opener.
    const detail::Descriptor file (::open (path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat info;
    if (file.get() < 0 || ::fstat (file.get(), &info) != 0)
        fail ("Cannot open", path);
    if (!S_ISREG (info.st_mode))
        refuse ("is not a regular file.");
    if (info.st_uid != ::geteuid() || (info.st_mode & 077) != 0)
        refuse ("is not private to this user.");
    if (info.st_size <= 0 || static_cast<std::uint64_t> (info.st_size) > bytes_maximum)
        refuse ("has a size no segment has.");
    Mapping mapping;
    mapping.data_ =
        static_cast<std::byte*> (detail::map_posix (file.get(), static_cast<std::uint64_t> (info.st_size)));
    if (mapping.data_ == nullptr)
        fail ("Cannot map", path);
    mapping.bytes_ = static_cast<std::uint64_t> (info.st_size);
    return mapping;
}

inline void Mapping::reset() noexcept
{
    if (data_ != nullptr)
        ::munmap (data_, static_cast<std::size_t> (bytes_));
    data_ = nullptr;
    bytes_ = 0;
}

#endif

} // namespace bandmate::protocol

// SPDX-License-Identifier: Apache-2.0
// bandmate._protocol.Segment. The server's ends come first; the plugin's ends are there for tests and tools.
#include "binding.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

namespace bandmate::python
{

namespace
{

using namespace protocol;

using SamplesIn = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using BytesIn = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

nb::object read_events (const SegmentHandle& handle, std::uint64_t until, std::size_t maximum)
{
    auto& ring = handle.open().events();
    maximum = std::min<std::size_t> (maximum, ring.available());
    std::unique_ptr<Event[]> events (new Event[maximum]);
    const auto count = ring.read (until, events.get(), maximum);
    // Numpy learns the record's fields from the dtype; nanobind hands over plain bytes.
    auto* pointer = events.get();
    nb::capsule owner (pointer, [] (void* p) noexcept { delete[] static_cast<Event*> (p); });
    events.release();
    const std::size_t shape[] = {count * sizeof (Event)};
    return nb::cast (nb::ndarray<nb::numpy, std::uint8_t> (pointer, 1, shape, owner))
        .attr ("view") (event_dtype());
}

std::size_t push_events (const SegmentHandle& handle, nb::object events)
{
    const auto numpy = nb::module_::import_ ("numpy");
    const auto flat = numpy.attr ("ascontiguousarray") (events, event_dtype()).attr ("view") ("u1");
    const auto bytes = nb::cast<BytesIn> (flat);
    auto& ring = handle.open().events();
    std::size_t count = 0;
    for (Event event; count < bytes.size() / sizeof event; ++count)
    {
        std::memcpy (&event, bytes.data() + count * sizeof event, sizeof event);
        if (!ring.push (event))
            break;
    }
    return count;
}

bool write (AudioRing& ring, std::uint32_t epoch, std::uint64_t index, const SamplesIn& samples,
            std::uint32_t flags)
{
    if (samples.shape (0) != ring.frame_samples() || samples.shape (1) != ring.channels())
        throw nb::value_error ("samples must be of shape [frame_samples, channels]");
    if (!is_finite (samples.data(), samples.size()))
        throw nb::value_error ("samples must be finite");
    return ring.write (epoch, index, samples.data(), flags);
}

// (epoch, index, flags, samples [frame_samples, channels]) of the oldest frame, or None.
nb::object read (AudioRing& ring)
{
    const auto frame = ring.front();
    if (!frame.has_value())
        return nb::none();
    auto samples = std::make_unique<float[]> (ring.floats());
    std::transform (frame->samples, frame->samples + ring.floats(), samples.get(),
                    [] (float sample) { return std::isfinite (sample) ? sample : 0.0f; });
    ring.release();
    auto* pointer = samples.get();
    nb::capsule owner (pointer, [] (void* p) noexcept { delete[] static_cast<float*> (p); });
    samples.release();
    const std::size_t shape[] = {ring.frame_samples(), ring.channels()};
    return nb::make_tuple (frame->epoch, frame->index, frame->flags,
                           nb::ndarray<nb::numpy, float> (pointer, 2, shape, owner));
}

template <typename Get>
auto live (Get get)
{
    return [get] (const SegmentHandle& handle)
    {
        return get (handle.open()).load (std::memory_order_acquire);
    };
}

void bind_server_ends (nb::class_<SegmentHandle>& c)
{
    c.def ("published",
           [] (const SegmentHandle& h) -> std::optional<std::pair<std::uint32_t, std::uint64_t>>
           {
               const auto position = h.open().published().read();
               if (!position.has_value())
                   return std::nullopt;
               return std::pair (position->epoch, position->until);
           })
        .def ("enter_newest_epoch",
              [] (const SegmentHandle& h) -> std::optional<std::pair<std::uint32_t, std::uint64_t>>
              {
                  const auto start = h.open().events().enter_newest_epoch();
                  if (!start.has_value())
                      return std::nullopt;
                  return std::pair (start->epoch, start->seed);
              })
        .def ("read_events", &read_events, nb::arg ("until"),
              nb::arg ("maximum") = limits::event_slots_maximum)
        .def (
            "write_frame",
            [] (const SegmentHandle& h, std::uint32_t epoch, std::uint64_t index, const SamplesIn& samples,
                std::uint32_t flags) { return write (h.open().audio_out(), epoch, index, samples, flags); },
            nb::arg ("epoch"), nb::arg ("index"), nb::arg ("samples").noconvert(), nb::arg ("flags") = 0)
        .def ("read_input_frame", [] (const SegmentHandle& h) { return read (h.open().audio_in()); })
        .def ("beat", [] (const SegmentHandle& h)
              { h.open().server().heartbeat_ns.store (monotonic_ns(), std::memory_order_release); })
        .def_prop_rw (
            "server_state",
            [] (const SegmentHandle& h)
            {
                const auto raw = h.open().server().state.load (std::memory_order_acquire);
                return raw <= static_cast<std::uint32_t> (ServerState::closed)
                           ? static_cast<ServerState> (raw)
                           : ServerState::failed;
            },
            [] (const SegmentHandle& h, ServerState state) {
                h.open().server().state.store (static_cast<std::uint32_t> (state), std::memory_order_release);
            })
        .def_prop_rw ("server_epoch", live ([](Segment & s) -> auto& { return s.server().epoch; }),
                      [] (const SegmentHandle& h, std::uint32_t epoch)
                      { h.open().server().epoch.store (epoch, std::memory_order_release); })
        .def_prop_rw ("server_frames", live ([](Segment & s) -> auto& { return s.server().frames; }),
                      [] (const SegmentHandle& h, std::uint64_t frames)
                      { h.open().server().frames.store (frames, std::memory_order_release); })
        .def_prop_ro ("server_heartbeat_ns",
                      live ([](Segment & s) -> auto& { return s.server().heartbeat_ns; }))
        .def_prop_ro ("plugin_heartbeat", live ([](Segment & s) -> auto& { return s.plugin().heartbeat; }))
        .def_prop_ro ("underruns", live ([](Segment & s) -> auto& { return s.plugin().underruns; }))
        .def_prop_ro ("lost_events", live ([](Segment & s) -> auto& { return s.plugin().lost_events; }))
        .def_prop_ro ("late_frames", live ([](Segment & s) -> auto& { return s.plugin().late_frames; }))
        .def_prop_ro ("is_offline",
                      [] (const SegmentHandle& h)
                      {
                          const auto flags = h.open().plugin().flags.load (std::memory_order_acquire);
                          return (flags & plugin_flag::offline) != 0;
                      })
        .def_prop_ro ("refused_events", [] (const SegmentHandle& h) { return h.open().events().refused(); })
        .def_prop_ro ("waiting_events", [] (const SegmentHandle& h) { return h.open().events().available(); })
        .def_prop_ro ("free_frames",
                      [] (const SegmentHandle& h) { return h.open().audio_out().free_slots(); });
}

void bind_plugin_ends (nb::class_<SegmentHandle>& c)
{
    c.def ("push_events", &push_events, nb::arg ("events"))
        .def (
            "publish",
            [] (const SegmentHandle& h, std::uint32_t epoch, std::uint64_t until) {
                h.open().published().publish ({epoch, until});
            },
            nb::arg ("epoch"), nb::arg ("until"))
        .def ("read_frame", [] (const SegmentHandle& h) { return read (h.open().audio_out()); })
        .def (
            "write_input_frame",
            [] (const SegmentHandle& h, std::uint32_t epoch, std::uint64_t index, const SamplesIn& samples,
                std::uint32_t flags) { return write (h.open().audio_in(), epoch, index, samples, flags); },
            nb::arg ("epoch"), nb::arg ("index"), nb::arg ("samples").noconvert(), nb::arg ("flags") = 0)
        .def ("plugin_beat", [] (const SegmentHandle& h)
              { h.open().plugin().heartbeat.fetch_add (1, std::memory_order_release); });
}

void bind_description (nb::class_<SegmentHandle>& c)
{
    const auto constant = [&c] (const char* name, auto get)
    {
        c.def_prop_ro (name, [get] (const SegmentHandle& h) { return get (h.open().description()); });
    };
    constant ("sample_rate", [] (const Description& d) { return d.sample_rate; });
    constant ("channels", [] (const Description& d) { return d.channels; });
    constant ("frame_samples", [] (const Description& d) { return d.frame_samples; });
    constant ("creator_pid", [] (const Description& d) { return d.creator_pid; });
    constant ("total_bytes", [] (const Description& d) { return d.total_bytes; });
    constant ("event_slots", [] (const Description& d) { return d.events.capacity; });
    constant ("audio_out_slots", [] (const Description& d) { return d.audio_out.capacity; });
    constant ("audio_in_slots", [] (const Description& d) { return d.audio_in.capacity; });
    constant ("nonce", [] (const Description& d) { return nb::bytes (d.nonce, sizeof d.nonce); });
    c.def_prop_ro ("is_open", [] (const SegmentHandle& h) { return h.segment != nullptr; })
        .def_prop_ro ("is_broken", [] (const SegmentHandle& h) { return h.open().is_broken(); });
}

} // namespace

void bind_segment (nb::module_& m)
{
    nb::class_<SegmentHandle> c (m, "Segment");
    c.def_static (
         "attach",
         [] (const std::filesystem::path& path)
         { return SegmentHandle{std::make_shared<Segment> (Segment::attach (path.string()))}; },
         nb::arg ("path"))
        .def_static (
            "create",
            [] (const std::filesystem::path& path, std::uint32_t sample_rate, std::uint32_t channels,
                std::uint32_t frame_samples, std::uint32_t event_slots, std::uint32_t audio_slots)
            {
                return SegmentHandle{std::make_shared<Segment> (
                    Segment::create (path.string(), {sample_rate, channels, frame_samples},
                                     {event_slots, audio_slots, audio_slots}))};
            },
            nb::arg ("path"), nb::arg ("sample_rate"), nb::arg ("channels"), nb::arg ("frame_samples"),
            nb::arg ("event_slots") = Capacities{}.events, nb::arg ("audio_slots") = Capacities{}.audio_out)
        .def ("close", [] (SegmentHandle& h) { h.segment.reset(); })
        .def ("__enter__", [] (nb::object self) { return self; })
        .def (
            "__exit__", [] (SegmentHandle& h, nb::handle, nb::handle, nb::handle) { h.segment.reset(); },
            nb::arg ("type").none(), nb::arg ("value").none(), nb::arg ("traceback").none());
    bind_description (c);
    bind_server_ends (c);
    bind_plugin_ends (c);

    m.def (
        "describe",
        [] (std::uint32_t sample_rate, std::uint32_t channels, std::uint32_t frame_samples,
            std::uint32_t event_slots, std::uint32_t audio_slots, std::uint32_t creator_pid, nb::bytes nonce)
        {
            std::uint8_t copy[16] = {};
            if (nonce.size() != sizeof copy)
                throw nb::value_error ("nonce must be 16 bytes");
            std::memcpy (copy, nonce.data(), sizeof copy);
            const auto d = describe ({sample_rate, channels, frame_samples},
                                     {event_slots, audio_slots, audio_slots}, creator_pid, copy);
            return nb::bytes (&d, sizeof d);
        },
        nb::arg ("sample_rate"), nb::arg ("channels"), nb::arg ("frame_samples"), nb::arg ("event_slots"),
        nb::arg ("audio_slots"), nb::arg ("creator_pid"), nb::arg ("nonce"));
    m.def (
        "is_legal_event",
        [] (BytesIn record)
        {
            Event event;
            if (record.size() != sizeof event)
                throw nb::value_error ("an event record has 32 bytes");
            std::memcpy (&event, record.data(), sizeof event);
            return is_legal (event);
        },
        nb::arg ("record"));
}

} // namespace bandmate::python

// SPDX-License-Identifier: Apache-2.0
// The messages and the two ends of a stream over a network.
#include "binding.hpp"

#include <bandmate/protocol/stream_ends.hpp>

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bandmate::python
{

namespace
{

using namespace protocol;

using SamplesIn = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

Ticket ticket_of (const nb::bytes& bytes)
{
    Ticket ticket;
    if (bytes.size() != ticket.size())
        throw nb::value_error ("a ticket has 16 bytes");
    std::memcpy (ticket.data(), bytes.data(), ticket.size());
    return ticket;
}

nb::bytes to_bytes (const std::string& text)
{
    return nb::bytes (text.data(), text.size());
}

// An end and the segment that it must not outlive.
template <typename End>
struct EndHandle
{
    EndHandle (const SegmentHandle& handle, const nb::bytes& ticket)
        : segment ((handle.open(), handle.segment)), end (*segment, ticket_of (ticket))
    {
    }

    std::shared_ptr<Segment> segment;
    End end;
};

template <typename End>
nb::class_<EndHandle<End>> bind_end (nb::module_& m, const char* name, const char* text)
{
    using Handle = EndHandle<End>;
    return nb::class_<Handle> (m, name, text)
        .def (nb::init<const SegmentHandle&, const nb::bytes&>(), nb::arg ("segment"), nb::arg ("ticket"))
        .def (
            "take",
            [] (Handle& h, const nb::bytes& data) { h.end.take (data.data(), data.size(), monotonic_ns()); },
            nb::arg ("data"))
        .def ("next",
              [] (Handle& h) -> std::optional<nb::bytes>
              {
                  const auto bytes = h.end.next (monotonic_ns());
                  if (!bytes.has_value())
                      return std::nullopt;
                  return to_bytes (*bytes);
              });
}

nb::bytes encode_input (const nb::bytes& ticket, std::uint64_t sequence, const nb::dict& fields,
                        nb::object events)
{
    const auto whole = [&fields] (const char* name)
    {
        return nb::cast<std::uint64_t> (fields[name]);
    };
    StreamInput in;
    in.heartbeat = whole ("heartbeat");
    in.until = whole ("until");
    in.epoch = nb::cast<std::uint32_t> (fields["epoch"]);
    in.flags = nb::cast<std::uint32_t> (fields["flags"]);
    in.frames_read = whole ("frames_read");
    in.frames_received = whole ("frames_received");
    in.underruns = whole ("underruns");
    in.late_frames = whole ("late_frames");
    in.lost_events = whole ("lost_events");
    const auto numpy = nb::module_::import_ ("numpy");
    const auto flat = numpy.attr ("ascontiguousarray") (events, event_dtype()).attr ("tobytes")();
    const auto raw = nb::cast<nb::bytes> (flat);
    std::vector<Event> records (raw.size() / sizeof (Event));
    if (!records.empty())
        std::memcpy (records.data(), raw.data(), raw.size());
    return to_bytes (encode (ticket_of (ticket), sequence, in, records));
}

nb::bytes encode_sound (bool is_side_chain, const nb::bytes& ticket, std::uint64_t sequence,
                        const nb::dict& fields, const SamplesIn& samples)
{
    StreamSound sound;
    sound.index = nb::cast<std::uint64_t> (fields["index"]);
    sound.epoch = nb::cast<std::uint32_t> (fields["epoch"]);
    sound.flags = nb::cast<std::uint32_t> (fields["flags"]);
    sound.held_us = nb::cast<std::uint32_t> (fields["held_us"]);
    sound.frame_samples = static_cast<std::uint32_t> (samples.shape (0));
    sound.channels = static_cast<std::uint32_t> (samples.shape (1));
    return to_bytes (encode (is_side_chain ? StreamKind::side_chain : StreamKind::frame, ticket_of (ticket),
                             sequence, sound, samples.data()));
}

nb::bytes encode_state (const nb::bytes& ticket, std::uint64_t sequence, const nb::dict& fields)
{
    StreamState state;
    state.state = nb::cast<std::uint32_t> (fields["state"]);
    state.epoch = nb::cast<std::uint32_t> (fields["epoch"]);
    state.frames = nb::cast<std::uint64_t> (fields["frames"]);
    state.events_read = nb::cast<std::uint64_t> (fields["events_read"]);
    state.inputs_read = nb::cast<std::uint64_t> (fields["inputs_read"]);
    return to_bytes (encode (ticket_of (ticket), sequence, state));
}

void describe (nb::dict& fields, const StreamInput& in)
{
    fields["heartbeat"] = in.heartbeat;
    fields["until"] = in.until;
    fields["epoch"] = in.epoch;
    fields["flags"] = in.flags;
    fields["frames_read"] = in.frames_read;
    fields["frames_received"] = in.frames_received;
    fields["underruns"] = in.underruns;
    fields["late_frames"] = in.late_frames;
    fields["lost_events"] = in.lost_events;
    fields["event_count"] = in.event_count;
}

void describe (nb::dict& fields, const StreamSound& sound)
{
    fields["index"] = sound.index;
    fields["epoch"] = sound.epoch;
    fields["flags"] = sound.flags;
    fields["held_us"] = sound.held_us;
    fields["frame_samples"] = sound.frame_samples;
    fields["channels"] = sound.channels;
}

void describe (nb::dict& fields, const StreamState& state)
{
    fields["state"] = state.state;
    fields["epoch"] = state.epoch;
    fields["frames"] = state.frames;
    fields["events_read"] = state.events_read;
    fields["inputs_read"] = state.inputs_read;
}

nb::dict decode (const nb::bytes& data)
{
    const auto message = decode_stream (data.data(), data.size());
    nb::dict fields;
    std::visit ([&fields] (const auto& body) { describe (fields, body); }, message.body);
    nb::dict whole;
    whole["kind"] = static_cast<unsigned> (message.kind);
    whole["ticket"] = nb::bytes (message.ticket.data(), message.ticket.size());
    whole["sequence"] = message.sequence;
    whole["fields"] = fields;
    whole["data"] =
        nb::bytes (message.data, static_cast<std::size_t> (static_cast<const char*> (data.data()) +
                                                           data.size() - message.data));
    return whole;
}

} // namespace

void bind_streams (nb::module_& m)
{
    m.attr ("STREAM_VERSION") = stream_version;
    m.attr ("STREAM_MAGIC") = nb::bytes (stream_magic, sizeof stream_magic);
    m.attr ("STREAM_EVENTS_MAXIMUM") = limits::stream_events_maximum;
    m.attr ("STREAM_BYTES_MAXIMUM") = limits::stream_bytes_maximum;
    m.attr ("STREAM_HELD_UNKNOWN") = held_unknown;
    m.attr ("TICKET_BYTES") = Ticket{}.size();
    bind_end<ServerStreamEnd> (m, "ServerStreamEnd",
                               "Beside a session: plays the plugin's side of its segment.")
        .def_prop_ro ("is_over", [] (const EndHandle<ServerStreamEnd>& h) { return h.end.is_over(); });
    bind_end<PluginStreamEnd> (m, "PluginStreamEnd",
                               "Beside a plugin: plays the server's side of its segment.");
    m.def ("encode_stream_input", &encode_input, nb::arg ("ticket"), nb::arg ("sequence"), nb::arg ("fields"),
           nb::arg ("events"));
    m.def ("encode_stream_sound", &encode_sound, nb::arg ("is_side_chain"), nb::arg ("ticket"),
           nb::arg ("sequence"), nb::arg ("fields"), nb::arg ("samples").noconvert());
    m.def ("encode_stream_state", &encode_state, nb::arg ("ticket"), nb::arg ("sequence"),
           nb::arg ("fields"));
    m.def ("decode_stream", &decode, nb::arg ("data"));
}

} // namespace bandmate::python

// SPDX-License-Identifier: GPL-3.0-or-later
// What the host's audio thread runs: nothing here locks, allocates or calls the system, see core::Stream.
#include "processor.hpp"

#include "audio_block_hooks.hpp"

#include <bandmate/core/midi.hpp>

namespace bandmate::plugin
{

namespace
{

// Of the channels, the one that an editor's keyboard plays: its notes end no note of the host's.
constexpr uint16_t keyboard_channel = 15;

protocol::Event event_of (NoteExchange::Note note) noexcept
{
    using protocol::Event;
    return note.velocity > 0 ? Event::note_on (0, keyboard_channel, note.pitch, note.velocity / 127.0)
                             : Event::note_off (0, keyboard_channel, note.pitch);
}

} // namespace

void Processor::processBlock (juce::AudioBuffer<float>& buffer, juce::MidiBuffer& midi)
{
    const AudioBlockMark mark (isNonRealtime());
    const juce::ScopedNoDenormals no_denormals;
    process (buffer, midi);
    output_.process (buffer, reader_.gain(), reader_.limits());
}

// The stream goes on, as late as ever, and is not heard.
void Processor::processBlockBypassed (juce::AudioBuffer<float>& buffer, juce::MidiBuffer& midi)
{
    const AudioBlockMark mark (isNonRealtime());
    const juce::ScopedNoDenormals no_denormals;
    process (buffer, midi);
    output_.process (buffer, 0.0f, reader_.limits());
}

juce::AudioProcessorParameter* Processor::getBypassParameter() const
{
    return parameters_.getParameter (parameter_id::bypass);
}

void Processor::process (juce::AudioBuffer<float>& buffer, const juce::MidiBuffer& midi) noexcept
{
    const int total = buffer.getNumSamples();
    const int side_chain_channels = getTotalNumInputChannels();
    if (coming_ && isNonRealtime())
        change_.skip();
    auto& player = heard();
    auto* next = coming_ && coming_.get() != &player && coming_->is_prepared ? coming_.get() : nullptr;
    if (!player.is_prepared || getTotalNumOutputChannels() < 2)
    {
        buffer.clear();
        return;
    }
    const auto each = [&player, next] (auto call) // stream that plays, or is about to
    {
        call (player.stream);
        if (next != nullptr)
            call (next->stream);
    };

    if (reset_requested_.exchange (false, std::memory_order_acq_rel))
        each ([] (core::Stream& stream) { stream.request_reset(); });

    const auto context = this->context();
    if (was_playing_ && !context.transport.is_playing)
        notes_.show_all_off(); // as the stream ends them
    was_playing_ = context.transport.is_playing;
    auto event = midi.cbegin();
    // A host may send more than it prepared for: then in parts.
    for (int start = 0; start < total || start == 0; start += max_block_)
    {
        const int count = juce::jmin (max_block_, total - start);
        each ([&] (core::Stream& stream) { stream.begin (static_cast<uint32_t> (count), context); });
        notes_.take (
            [&each] (NoteExchange::Note note)
            {
                const auto played = event_of (note);
                each ([&] (core::Stream& stream) { stream.add (0, played); });
            });
        for (; event != midi.cend() && ((*event).samplePosition < start + count || start + count == total);
             ++event)
        {
            const auto message = *event;
            if (const auto parsed =
                    core::event_of_midi (message.data, static_cast<size_t> (message.numBytes)))
            {
                const auto at = static_cast<uint32_t> (juce::jmax (0, message.samplePosition - start));
                each ([&] (core::Stream& stream) { stream.add (at, *parsed); });
                show (*parsed);
            }
        }
        // Before the output is written: it may lie in the same memory.
        if (side_chain_channels >= 2)
            each (
                [&] (core::Stream& stream) {
                    stream.add_side_chain (buffer.getReadPointer (0, start),
                                           buffer.getReadPointer (1, start));
                });
        auto* left = buffer.getWritePointer (0, start);
        auto* right = buffer.getWritePointer (1, start);
        player.stream.finish (left, right);
        if (next != nullptr)
        {
            next->stream.finish (change_.left(), change_.right());
            const auto progress = next->link.progress().load (std::memory_order_acquire);
            const bool is_due = progress == core::SessionProgress::ready && next->stream.is_due();
            change_.mix (left, right, count, is_due, next->stream.steady_samples());
        }
        if (count == 0)
            break;
    }
    for (int channel = 2; channel < buffer.getNumChannels(); ++channel)
        buffer.clear (channel, 0, total);
}

void Processor::show (const protocol::Event& event) noexcept
{
    using protocol::EventType;
    const auto pitch = static_cast<int> (event.index);
    if (event.type == EventType::note_on)
        notes_.show_on (event.channel, pitch);
    else if (event.type == EventType::note_off)
        notes_.show_off (event.channel, pitch);
    else if (event.type == EventType::all_notes_off)
        notes_.show_all_off (event.channel);
}

core::BlockContext Processor::context() const noexcept
{
    core::BlockContext context;
    context.parameters = reader_.for_server (surface_);
    context.restart_on_play = reader_.restart_on_play();
    context.is_offline = isNonRealtime();
    if (const auto* head = getPlayHead())
        if (const auto position = head->getPosition())
        {
            context.transport.is_playing = position->getIsPlaying();
            context.transport.is_recording = position->getIsRecording();
            context.transport.is_looping = position->getIsLooping();
            context.transport.tempo_bpm =
                juce::jlimit (0.0, protocol::tempo_maximum, position->getBpm().orFallback (0.0));
            context.transport.position_samples = position->getTimeInSamples().orFallback (0);
        }
    return context;
}

} // namespace bandmate::plugin

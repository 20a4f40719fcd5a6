// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "theme.hpp"

#include <juce_audio_utils/juce_audio_utils.h>

#include <bitset>

namespace bandmate::plugin
{

class NoteExchange;

// A base, so that it is there before the component that listens to it.
struct KeyboardState
{
    // Shows on one channel of its own and plays on another, so that neither ends the other's notes.
    juce::MidiKeyboardState state_;
};

// A piano of 88 keys: plays by mouse and, with the keyboard's focus, by the computer's keys (A to K and the
// row above; Z and X change the octave), and shows what the host plays.
class Keyboard : private KeyboardState, public juce::MidiKeyboardComponent
{
public:
    explicit Keyboard (NoteExchange& notes);
    ~Keyboard() override;

    void follow_host(); // some 30 times a second

    bool keyPressed (const juce::KeyPress& key) override;
    void paintOverChildren (juce::Graphics& g) override;
    void resized() override;

protected:
    void drawWhiteNote (int note, juce::Graphics& g, juce::Rectangle<float> area, bool is_down, bool is_over,
                        juce::Colour line, juce::Colour text) override;
    void drawBlackNote (int note, juce::Graphics& g, juce::Rectangle<float> area, bool is_down, bool is_over,
                        juce::Colour fill) override;

private:
    // The component hears of the notes by itself; this is what else hears of them.
    struct Player : juce::MidiKeyboardState::Listener
    {
        explicit Player (NoteExchange& to) : notes (to) {}
        void handleNoteOn (juce::MidiKeyboardState*, int channel, int note, float velocity) override;
        void handleNoteOff (juce::MidiKeyboardState*, int channel, int note, float velocity) override;

        NoteExchange& notes;
    };

    NoteExchange& notes_;
    Player player_;
    std::bitset<128> shown_;
    int octave_ = 5;
};

} // namespace bandmate::plugin

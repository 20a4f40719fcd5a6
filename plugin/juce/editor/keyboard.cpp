// SPDX-License-Identifier: GPL-3.0-or-later
#include "keyboard.hpp"

#include "../note_exchange.hpp"

namespace bandmate::plugin
{

namespace
{

constexpr int lowest = 21; // a piano's
constexpr int highest = 108;
constexpr int white_keys = 52;
constexpr int own_channel = 1;
constexpr int host_channel = 2;

} // namespace

Keyboard::Keyboard (NoteExchange& notes)
    : MidiKeyboardComponent (state_, horizontalKeyboard), notes_ (notes), player_ (notes)
{
    setTitle ("Keyboard");
    setDescription ("Click to play. With the keyboard's focus the computer's keys play: A to K and the row "
                    "above; Z and X change the octave.");
    setAvailableRange (lowest, highest);
    setScrollButtonsVisible (false);
    setColour (whiteNoteColourId, theme::background); // what shows between the keys
    setColour (keySeparatorLineColourId, juce::Colours::transparentBlack);
    setColour (shadowColourId, juce::Colours::transparentBlack);
    setMidiChannel (own_channel);
    setMidiChannelsToDisplay ((1 << (own_channel - 1)) | (1 << (host_channel - 1)));
    setKeyPressBaseOctave (octave_);
    setVelocity (0.8f, true);
    state_.addListener (&player_);
}

Keyboard::~Keyboard()
{
    state_.allNotesOff (own_channel); // through the listener: nothing sounds on when the window closes
    state_.removeListener (&player_);
}

void Keyboard::follow_host()
{
    for (int note = lowest; note <= highest; ++note)
    {
        const bool is_shown = notes_.is_shown (note);
        const auto bit = static_cast<size_t> (note);
        if (is_shown == shown_[bit])
            continue;
        shown_[bit] = is_shown;
        if (is_shown)
            state_.noteOn (host_channel, note, 1.0f);
        else
            state_.noteOff (host_channel, note, 0.0f);
    }
}

bool Keyboard::keyPressed (const juce::KeyPress& key)
{
    const int step = key == juce::KeyPress ('z') ? -1 : key == juce::KeyPress ('x') ? 1 : 0;
    if (step == 0)
        return MidiKeyboardComponent::keyPressed (key);
    octave_ = juce::jlimit (1, 8, octave_ + step);
    setKeyPressBaseOctave (octave_);
    return true;
}

void Keyboard::resized()
{
    setKeyWidth (static_cast<float> (getWidth()) / static_cast<float> (white_keys));
    MidiKeyboardComponent::resized();
}

void Keyboard::drawWhiteNote (int note, juce::Graphics& g, juce::Rectangle<float> area, bool is_down,
                              bool is_over, juce::Colour, juce::Colour)
{
    const auto key = area.reduced (0.75f, 0.0f);
    const auto ivory = juce::Colour (0xffd5d9df);
    g.setColour (is_down ? theme::accent : is_over ? ivory.brighter (0.4f) : ivory);
    juce::Path path;
    path.addRoundedRectangle (key.getX(), key.getY(), key.getWidth(), key.getHeight(), 3.0f, 3.0f, false,
                              false, true, true);
    g.fillPath (path);
    if (note % 12 != 0)
        return;
    g.setColour (is_down ? theme::on_accent : juce::Colour (0xff5b6470));
    g.setFont (theme::font (10.0f));
    g.drawText (juce::MidiMessage::getMidiNoteName (note, true, true, 4), key.withTrimmedBottom (4.0f),
                juce::Justification::centredBottom);
}

void Keyboard::drawBlackNote (int, juce::Graphics& g, juce::Rectangle<float> area, bool is_down, bool is_over,
                              juce::Colour)
{
    juce::Path path;
    path.addRoundedRectangle (area.getX(), area.getY(), area.getWidth(), area.getHeight(), 2.5f, 2.5f, false,
                              false, true, true);
    g.setColour (is_down ? theme::accent : is_over ? theme::hovered : theme::background);
    g.fillPath (path);
    g.setColour (theme::groove);
    g.strokePath (path, juce::PathStrokeType (1.0f));
}

void Keyboard::paintOverChildren (juce::Graphics& g)
{
    if (hasKeyboardFocus (true))
        theme::draw_focus (g, getLocalBounds().toFloat(), 3.0f);
}

void Keyboard::Player::handleNoteOn (juce::MidiKeyboardState*, int channel, int note, float velocity)
{
    if (channel == own_channel)
        notes.play ({static_cast<uint8_t> (note),
                     static_cast<uint8_t> (juce::jlimit (1, 127, juce::roundToInt (127.0f * velocity)))});
}

void Keyboard::Player::handleNoteOff (juce::MidiKeyboardState*, int channel, int note, float)
{
    if (channel == own_channel)
        notes.play ({static_cast<uint8_t> (note), 0});
}

} // namespace bandmate::plugin

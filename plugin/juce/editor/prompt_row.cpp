// SPDX-License-Identifier: GPL-3.0-or-later
#include "prompt_row.hpp"

#include "suggestions.hpp"

#include "../parameters.hpp"
#include "../processor.hpp"

namespace bandmate::plugin
{

namespace
{

constexpr int number_width = 34;
constexpr int weight_width = 196;
constexpr int button_size = 28;

} // namespace

bool is_sound_file (const juce::String& path)
{
    return juce::File (path).hasFileExtension ("wav;flac;aif;aiff;ogg;mp3");
}

// Up and down leave the field for the neighbours, as in any list.
bool PromptRow::Words::keyPressed (const juce::KeyPress& key)
{
    if (key == juce::KeyPress::upKey || key == juce::KeyPress::downKey)
    {
        moveKeyboardFocusToSibling (key == juce::KeyPress::downKey);
        return true;
    }
    return TextEditor::keyPressed (key);
}

PromptRow::PromptRow (Processor& processor, int slot)
    : processor_ (processor), slot_ (slot),
      suggest_ (Icon::menu, "Words for style " + juce::String (slot + 1),
                "Words that the bundled model knows."),
      clear_ (Icon::close, "Clear style " + juce::String (slot + 1), "Empties the slot."),
      weight_attachment_ (processor.parameters(), parameter_id::style_weight (slot), weight_),
      mute_attachment_ (processor.parameters(), parameter_id::style_mute (slot), mute_)
{
    const auto title = "Style " + juce::String (slot + 1);
    describe (words_, title,
              "What it should sound like, in words. Return puts it in force. Drop a sound file here to "
              "follow its sound instead.");
    words_.setTextToShowWhenEmpty (slot == 0 ? "a style in words, or drop a sound file" : "empty",
                                   theme::dim.withAlpha (0.6f));
    words_.setFont (theme::font (theme::text_height));
    words_.setIndents (10, 0);
    words_.setJustification (juce::Justification::centredLeft);
    words_.setInputRestrictions (
        static_cast<int> (protocol::limits::prompt_bytes_maximum / 4)); // in UTF-8 at most 4 bytes each
    words_.setSelectAllWhenFocused (true);
    words_.onReturnKey = words_.onFocusLost = [this]
    {
        send_text();
    };
    words_.onEscapeKey = [this]
    {
        words_.giveAwayKeyboardFocus();
    };

    weight_.setTextBoxStyle (juce::Slider::TextBoxRight, false, 56, 22);
    weight_.setWantsKeyboardFocus (true);
    weight_.setDoubleClickReturnValue (true, slot == 0 ? 1.0 : 0.0);
    weight_.textFromValueFunction = [] (double value)
    {
        return juce::String (juce::roundToInt (100.0 * value)) + " %";
    };
    weight_.updateText();
    describe (weight_, title + " weight", parameter_help (parameter_id::style_weight (slot)));

    mute_.setClickingTogglesState (true);
    mute_.setColour (juce::TextButton::buttonOnColourId, theme::warning);
    describe (mute_, title + " mute", parameter_help (parameter_id::style_mute (slot)));
    suggest_.onClick = [this]
    {
        offer_words();
    };
    clear_.onClick = [this]
    {
        if (sound_name_.isNotEmpty())
            processor_.clear_prompt_audio (slot_);
        else
            processor_.set_prompt (slot_, {});
    };
    for (auto* child : std::initializer_list<juce::Component*>{&words_, &suggest_, &weight_, &mute_, &clear_})
        addAndMakeVisible (child);
}

PromptRow::~PromptRow() = default;

void PromptRow::show (const SessionState& session, double share, bool by_surface)
{
    const auto slot = static_cast<size_t> (slot_);
    const auto& sound = session.sounds[slot];
    const auto sound_name =
        sound.sound.empty() ? juce::String() : juce::String::fromUTF8 (sound.name.c_str());
    const auto text = juce::String::fromUTF8 (session.prompts[slot].c_str());
    const auto shown = sound_name.isNotEmpty() ? sound_name : text;
    words_.setReadOnly (sound_name.isNotEmpty());
    if ((!words_.hasKeyboardFocus (true) || words_.isReadOnly()) && words_.getText() != shown)
        words_.setText (shown, false);
    weight_.setEnabled (!by_surface);
    clear_.setEnabled (session.is_filled (slot));
    clear_.setTooltip (sound_name.isNotEmpty() ? "Follows the words again." : "Empties the slot.");
    const bool is_changed = share_ != share || by_surface_ != by_surface || sound_name_ != sound_name ||
                            is_filled_ != session.is_filled (slot);
    share_ = share;
    by_surface_ = by_surface;
    sound_name_ = sound_name;
    is_filled_ = session.is_filled (slot);
    if (is_changed)
    {
        weight_.setVisible (!by_surface);
        repaint();
    }
}

void PromptRow::paint (juce::Graphics& g)
{
    auto area = getLocalBounds().toFloat();
    // The slot's number fills with its share of the blend as it is heard.
    const auto badge = area.removeFromLeft (26.0f).withSizeKeepingCentre (24.0f, 24.0f);
    g.setColour (theme::groove);
    g.fillEllipse (badge);
    if (is_filled_ && share_ > 0.0)
    {
        g.setColour (theme::accent.withAlpha (0.25f + 0.75f * static_cast<float> (juce::jmin (1.0, share_))));
        g.fillEllipse (badge);
    }
    g.setColour (is_filled_ && share_ > 0.5 ? theme::on_accent : theme::text);
    g.setFont (theme::font (theme::title_height, true));
    g.drawText (juce::String (slot_ + 1), badge, juce::Justification::centred);

    // Words or sound: a T, or the picture of a wave.
    const auto sign =
        words_.getBounds().toFloat().removeFromLeft (0.0f).withX (words_.getX() - 26.0f).withWidth (22.0f);
    if (is_filled_)
    {
        g.setColour (sound_name_.isNotEmpty() ? theme::accent : theme::dim);
        if (sound_name_.isEmpty())
            g.drawText ("T", sign, juce::Justification::centred);
        else
            for (int i = 0; i < 5; ++i)
            {
                const float heights[] = {6.0f, 14.0f, 9.0f, 16.0f, 7.0f};
                g.fillRoundedRectangle (
                    juce::Rectangle<float> (2.0f, heights[i])
                        .withCentre ({sign.getX() + 3.0f + 4.0f * static_cast<float> (i), sign.getCentreY()}),
                    1.0f);
            }
    }
    if (by_surface_)
    {
        auto bar = weight_.getBounds().toFloat();
        const auto value = bar.removeFromRight (56.0f);
        const auto track = bar.reduced (8.0f, 0.0f).withSizeKeepingCentre (bar.getWidth() - 16.0f, 5.0f);
        g.setColour (theme::groove);
        g.fillRoundedRectangle (track, 2.5f);
        g.setColour (theme::accent);
        g.fillRoundedRectangle (track.withWidth (track.getWidth() * static_cast<float> (share_)), 2.5f);
        g.setColour (theme::text);
        g.setFont (theme::font (theme::small_height));
        g.drawText (juce::String (juce::roundToInt (100.0 * share_)) + " %", value,
                    juce::Justification::centred);
    }
    if (is_target_)
        theme::draw_focus (g, getLocalBounds().toFloat(), theme::corner);
}

void PromptRow::resized()
{
    auto area = getLocalBounds().reduced (0, 5);
    area.removeFromLeft (number_width + 20);
    clear_.setBounds (area.removeFromRight (button_size).withSizeKeepingCentre (button_size, button_size));
    area.removeFromRight (4);
    mute_.setBounds (area.removeFromRight (button_size).withSizeKeepingCentre (button_size, 24));
    area.removeFromRight (8);
    weight_.setBounds (area.removeFromRight (weight_width));
    area.removeFromRight (4);
    suggest_.setBounds (area.removeFromRight (button_size).withSizeKeepingCentre (button_size, button_size));
    area.removeFromRight (4);
    words_.setBounds (area);
}

bool PromptRow::isInterestedInFileDrag (const juce::StringArray& files)
{
    return files.size() == 1 && is_sound_file (files[0]);
}

void PromptRow::fileDragEnter (const juce::StringArray&, int, int)
{
    is_target_ = true;
    repaint();
}

void PromptRow::fileDragExit (const juce::StringArray&)
{
    is_target_ = false;
    repaint();
}

void PromptRow::filesDropped (const juce::StringArray& files, int, int)
{
    fileDragExit (files);
    processor_.use_prompt_audio (slot_, juce::File (files[0]));
}

void PromptRow::send_text()
{
    if (!words_.isReadOnly())
        processor_.set_prompt (slot_, words_.getText().toStdString());
}

void PromptRow::offer_words()
{
    auto menu = suggestion_menu (
        [this] (const juce::String& words)
        {
            if (sound_name_.isNotEmpty())
                processor_.clear_prompt_audio (slot_);
            processor_.set_prompt (slot_, words.toStdString());
        });
    menu.setLookAndFeel (&getLookAndFeel());
    auto* content = findParentComponentOfClass<juce::AudioProcessorEditor>()->getChildComponent (0);
    menu.showMenuAsync (
        juce::PopupMenu::Options().withTargetComponent (suggest_).withParentComponent (content));
}

} // namespace bandmate::plugin

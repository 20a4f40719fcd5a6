// SPDX-License-Identifier: GPL-3.0-or-later
#include "audio_page.hpp"

#include "prompt_row.hpp"

#include "../processor.hpp"

namespace bandmate::plugin
{

namespace
{

namespace limits = protocol::limits;

void set_up_seconds (juce::Slider& slider, double low, double high, double value)
{
    slider.setRange (low, high, 0.5);
    slider.setValue (value, juce::dontSendNotification);
    slider.setTextBoxStyle (juce::Slider::TextBoxRight, false, 56, 22);
    slider.setWantsKeyboardFocus (true);
    slider.textFromValueFunction = [] (double seconds)
    {
        return juce::String (seconds, 1) + " s";
    };
    slider.updateText();
}

} // namespace

// Takes one sound file.
class AudioPage::DropZone : public juce::Component, public juce::FileDragAndDropTarget
{
public:
    DropZone (const juce::String& text, std::function<void (const juce::File&)> use)
        : text_ (text), use_ (std::move (use))
    {
        setTitle (text);
    }

    bool isInterestedInFileDrag (const juce::StringArray& files) override
    {
        return files.size() == 1 && is_sound_file (files[0]);
    }
    void fileDragEnter (const juce::StringArray&, int, int) override { light (true); }
    void fileDragExit (const juce::StringArray&) override { light (false); }
    void filesDropped (const juce::StringArray& files, int, int) override
    {
        light (false);
        use_ (juce::File (files[0]));
    }

    void paint (juce::Graphics& g) override
    {
        const auto area = getLocalBounds().toFloat();
        g.setColour (is_lit_ ? theme::hovered : theme::groove);
        g.fillRoundedRectangle (area, theme::corner);
        juce::Path edge, dashed;
        edge.addRoundedRectangle (area.reduced (1.0f), theme::corner);
        const float dashes[] = {6.0f, 4.0f};
        juce::PathStrokeType (1.2f).createDashedStroke (dashed, edge, dashes, 2);
        g.setColour (is_lit_ ? theme::accent : theme::outline);
        g.fillPath (dashed);
        g.setColour (theme::dim);
        g.setFont (theme::font (theme::title_height));
        g.drawFittedText (text_, getLocalBounds().reduced (16), juce::Justification::centred, 3);
    }

private:
    void light (bool is_lit)
    {
        is_lit_ = is_lit;
        repaint();
    }

    juce::String text_;
    std::function<void (const juce::File&)> use_;
    bool is_lit_ = false;
};

AudioPage::AudioPage (Processor& processor) : processor_ (processor)
{
    for (int slot = 1; slot <= static_cast<int> (protocol::style_slots); ++slot)
        slot_.addItem ("Style " + juce::String (slot), slot);
    slot_.setSelectedId (1, juce::dontSendNotification);
    describe (slot_, "Slot", "The style slot that will follow the sound.");
    set_up_seconds (style_seconds_, limits::style_seconds_minimum, limits::style_seconds_maximum,
                    limits::style_seconds_maximum);
    describe (style_seconds_, "Length of the style",
              "How much of the side chain's last sound makes the style.");
    set_up_seconds (continue_seconds_, limits::style_seconds_minimum, limits::clip_seconds_maximum, 12.0);
    describe (continue_seconds_, "Length to go on from",
              "How much of the side chain's last sound the music goes on from.");

    capture_ = make_button (
        "Capture style", "Makes the side chain's last seconds the style of this slot.",
        [this] { processor_.capture_style (slot_.getSelectedId() - 1, style_seconds_.getValue()); });
    style_file_ =
        make_button (juce::String (juce::CharPointer_UTF8 ("From a file\xe2\x80\xa6")),
                     "Makes a sound file's first seconds the style of this slot.",
                     [this] { choose_file ([this] (const juce::File& file) { use_as_style (file); }); });
    continue_ = make_button ("Continue from this",
                             "The music goes on from the side chain's last seconds, without a gap.",
                             [this] { processor_.continue_from_input (continue_seconds_.getValue()); });
    const auto go_on_from = [this] (const juce::File& file)
    {
        processor_.continue_from_file (file);
    };
    continue_file_ = make_button (juce::String (juce::CharPointer_UTF8 ("From a file\xe2\x80\xa6")),
                                  "The music goes on from the end of a sound file.",
                                  [this, go_on_from] { choose_file (go_on_from); });
    style_zone_ = std::make_unique<DropZone> ("Drop a sound file here to make it the style of this slot",
                                              [this] (const juce::File& file) { use_as_style (file); });
    continue_zone_ = std::make_unique<DropZone> ("Drop a sound file here to go on from its end", go_on_from);
    for (auto* child : std::initializer_list<juce::Component*>{
             &slot_, &style_seconds_, capture_.get(), style_file_.get(), style_zone_.get(),
             &continue_seconds_, continue_.get(), continue_file_.get(), continue_zone_.get()})
        addAndMakeVisible (child);
    refresh();
}

AudioPage::~AudioPage() = default;

void AudioPage::use_as_style (const juce::File& file)
{
    processor_.use_prompt_audio (slot_.getSelectedId() - 1, file);
}

void AudioPage::choose_file (std::function<void (const juce::File&)> use)
{
    chooser_ = std::make_unique<juce::FileChooser> (
        "Choose a sound file", juce::File::getSpecialLocation (juce::File::userMusicDirectory),
        "*.wav;*.flac;*.aif;*.aiff;*.ogg;*.mp3");
    chooser_->launchAsync (juce::FileBrowserComponent::openMode | juce::FileBrowserComponent::canSelectFiles,
                           [use = std::move (use)] (const juce::FileChooser& chooser)
                           {
                               if (const auto file = chooser.getResult(); file.existsAsFile())
                                   use (file);
                           });
}

void AudioPage::refresh()
{
    const bool is_free = !processor_.task_status().is_running;
    const bool has_input = processor_.has_side_chain();
    capture_->setEnabled (is_free && has_input);
    continue_->setEnabled (is_free && has_input);
    style_file_->setEnabled (is_free);
    continue_file_->setEnabled (is_free);
}

juce::Rectangle<int> AudioPage::style_area() const
{
    return getLocalBounds().removeFromLeft (getWidth() / 2 - theme::gap / 2);
}

juce::Rectangle<int> AudioPage::continue_area() const
{
    return getLocalBounds().withTrimmedLeft (getWidth() / 2 + theme::gap / 2);
}

void AudioPage::paint (juce::Graphics& g)
{
    const auto card =
        [&g, this] (juce::Rectangle<int> bounds, const juce::String& title, const juce::String& text)
    {
        theme::draw_card (g, bounds, title);
        auto area = theme::inside_card (bounds);
        g.setColour (theme::dim);
        g.setFont (theme::font (theme::title_height));
        g.drawFittedText (text, area.removeFromTop (40), juce::Justification::topLeft, 2, 1.0f);
        const bool has_input = processor_.has_side_chain();
        auto line = area.withTrimmedTop (8).removeFromTop (22);
        g.setColour (has_input ? theme::accent : theme::outline.brighter (0.2f));
        g.fillEllipse (
            line.removeFromLeft (16).toFloat().withSizeKeepingCentre (8.0f, 8.0f).translated (-3.0f, 0));
        g.setColour (has_input ? theme::text : theme::dim);
        g.drawText (has_input ? "The side chain is connected."
                              : "The host sends no side chain to this track.",
                    line, juce::Justification::centredLeft);
    };
    card (
        style_area(), "STYLE FROM SOUND",
        "A sound says better than words what it should sound like. The song keeps the style, not the sound.");
    card (continue_area(), "CONTINUE FROM SOUND",
          "The music goes on where the sound ends, and a restart begins there: it is kept as a bank. For "
          "models "
          "that hear sound.");
    g.setColour (theme::text);
    const auto label = [&g] (juce::Rectangle<int> area, int top, const juce::String& text)
    {
        g.drawText (text, theme::inside_card (area).withTrimmedTop (top).removeFromTop (28),
                    juce::Justification::centredLeft);
    };
    label (style_area(), 82, "Slot");
    label (style_area(), 122, "Length");
    label (continue_area(), 122, "Length");
}

void AudioPage::resized()
{
    const auto lower = [] (juce::Rectangle<int> area, juce::Slider& seconds, juce::Button& now,
                           juce::Button& file, juce::Component& zone)
    {
        area = theme::inside_card (area).withTrimmedTop (122);
        seconds.setBounds (area.removeFromTop (28).withTrimmedLeft (64));
        area.removeFromTop (14);
        auto buttons = area.removeFromTop (34);
        now.setBounds (buttons.removeFromLeft (buttons.getWidth() / 2 - 4));
        buttons.removeFromLeft (8);
        file.setBounds (buttons);
        area.removeFromTop (16);
        zone.setBounds (area);
    };
    slot_.setBounds (theme::inside_card (style_area())
                         .withTrimmedTop (80)
                         .removeFromTop (32)
                         .withTrimmedLeft (64)
                         .withWidth (150));
    lower (style_area(), style_seconds_, *capture_, *style_file_, *style_zone_);
    lower (continue_area(), continue_seconds_, *continue_, *continue_file_, *continue_zone_);
}

} // namespace bandmate::plugin

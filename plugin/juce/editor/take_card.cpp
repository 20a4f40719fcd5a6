// SPDX-License-Identifier: GPL-3.0-or-later
#include "take_card.hpp"

#include "../processor.hpp"

#include <juce_audio_formats/juce_audio_formats.h>

#include <array>

namespace bandmate::plugin
{

namespace
{

constexpr double shortest_seconds = 5.0;
constexpr double usual_seconds = 60.0;

} // namespace

// Shows the take that is ready, and gives it to whatever it is dragged onto.
class TakeCard::Tile : public juce::Component, public juce::SettableTooltipClient
{
public:
    Tile()
    {
        setWantsKeyboardFocus (true);
        setRepaintsOnMouseActivity (true);
        describe (*this, "The take", "Drag it onto a track of your session. Return shows it in its folder.");
    }

    void set (const juce::File& take)
    {
        if (take == take_)
            return;
        take_ = take;
        read_levels();
        setTitle (take == juce::File() ? juce::String ("No take yet") : "Take " + take.getFileName());
        setMouseCursor (take == juce::File() ? juce::MouseCursor::NormalCursor
                                             : juce::MouseCursor::DraggingHandCursor);
        repaint();
    }

    void paint (juce::Graphics& g) override
    {
        const auto area = getLocalBounds().toFloat();
        const bool is_ready = take_ != juce::File();
        g.setColour (is_ready && isMouseOver() ? theme::hovered : is_ready ? theme::raised : theme::groove);
        g.fillRoundedRectangle (area, theme::corner);
        juce::Path edge;
        edge.addRoundedRectangle (area.reduced (1.0f), theme::corner);
        const float dashes[] = {6.0f, 4.0f};
        juce::Path dashed;
        juce::PathStrokeType (1.2f).createDashedStroke (dashed, edge, dashes, 2);
        g.setColour (is_ready ? theme::accent : theme::outline);
        g.fillPath (dashed);
        auto words = getLocalBounds().reduced (14);
        if (is_ready)
        {
            const auto wave = words.removeFromTop (words.getHeight() / 2).toFloat();
            g.setColour (theme::accent);
            for (size_t i = 0; i < levels_.size(); ++i)
            {
                const auto part = (static_cast<float> (i) + 0.5f) / static_cast<float> (levels_.size());
                const auto height = 3.0f + (wave.getHeight() - 3.0f) * juce::jmin (1.0f, levels_[i]);
                g.fillRoundedRectangle (
                    juce::Rectangle<float> (3.0f, height)
                        .withCentre ({wave.getX() + part * wave.getWidth(), wave.getCentreY()}),
                    1.5f);
            }
        }
        g.setColour (is_ready ? theme::text : theme::dim);
        g.setFont (theme::font (theme::title_height));
        g.drawFittedText (is_ready ? "Drag onto a track:  " + take_.getFileName()
                                   : juce::String ("A take appears here, ready to be dragged onto a track."),
                          words, juce::Justification::centred, 2);
        if (hasKeyboardFocus (true))
            theme::draw_focus (g, area, theme::corner);
    }

    void mouseDrag (const juce::MouseEvent& event) override
    {
        if (take_.existsAsFile() && event.getDistanceFromDragStart() > 6)
            juce::DragAndDropContainer::performExternalDragDropOfFiles ({take_.getFullPathName()}, false,
                                                                        this);
    }

    bool keyPressed (const juce::KeyPress& key) override
    {
        if (key != juce::KeyPress::returnKey || !take_.existsAsFile())
            return false;
        take_.revealToUser();
        return true;
    }

private:
    // Of short pieces all along the take: enough for a picture, however long it is.
    void read_levels()
    {
        constexpr int piece = 2048;
        levels_.fill (0.0f);
        if (!take_.existsAsFile())
            return;
        const std::unique_ptr<juce::AudioFormatReader> reader (
            juce::WavAudioFormat().createReaderFor (take_.createInputStream().release(), true));
        if (reader == nullptr)
            return;
        for (size_t i = 0; i < levels_.size(); ++i)
        {
            const auto start = static_cast<juce::int64> (i) * reader->lengthInSamples /
                               static_cast<juce::int64> (levels_.size());
            juce::Range<float> range;
            reader->readMaxLevels (start, juce::jmin<juce::int64> (piece, reader->lengthInSamples - start),
                                   &range, 1);
            levels_[i] = juce::jmax (-range.getStart(), range.getEnd());
        }
    }

    juce::File take_;
    std::array<float, 64> levels_{};
};

TakeCard::TakeCard (Processor& processor) : processor_ (processor), tile_ (std::make_unique<Tile>())
{
    length_.setRange (shortest_seconds, protocol::limits::take_seconds_maximum, 1.0);
    length_.setSkewFactorFromMidPoint (usual_seconds);
    length_.setValue (usual_seconds, juce::dontSendNotification);
    length_.setTextBoxStyle (juce::Slider::TextBoxRight, false, 64, 22);
    length_.setWantsKeyboardFocus (true);
    length_.textFromValueFunction = [] (double seconds)
    {
        const int whole = juce::roundToInt (seconds);
        return whole < 60
                   ? juce::String (whole) + " s"
                   : juce::String (whole / 60) + ":" + juce::String (whole % 60).paddedLeft ('0', 2) + " min";
    };
    length_.updateText();
    describe (length_, "Length of the take",
              "How much of what was played last is taken: up to 10 minutes are kept.");
    take_ = make_button (
        "Take it", "Saves the last minutes into your music folder, ready to be dragged onto a track.",
        [this]
        {
            const auto name = juce::Time::getCurrentTime().formatted ("take %Y-%m-%d %H.%M.%S");
            keep (takes_folder().getNonexistentChildFile (name, ".wav"));
        });
    save_as_ = make_button (juce::String (juce::CharPointer_UTF8 ("Save as\xe2\x80\xa6")),
                            "Saves the last minutes as a WAV file where you like, its notes beside it.",
                            [this] { choose_file(); });
    for (auto* child :
         std::initializer_list<juce::Component*>{&length_, take_.get(), save_as_.get(), tile_.get()})
        addAndMakeVisible (child);
}

TakeCard::~TakeCard() = default;

juce::File TakeCard::takes_folder()
{
    const auto music = juce::File::getSpecialLocation (juce::File::userMusicDirectory);
    const auto parent =
        music.isDirectory() ? music : juce::File::getSpecialLocation (juce::File::userHomeDirectory);
    const auto folder = parent.getChildFile ("Bandmate");
    folder.createDirectory();
    return folder;
}

void TakeCard::keep (const juce::File& wav)
{
    if (processor_.save_take (wav, length_.getValue()))
        wanted_ = wav;
}

void TakeCard::choose_file()
{
    chooser_ = std::make_unique<juce::FileChooser> ("Save the take as",
                                                    takes_folder().getChildFile ("take.wav"), "*.wav");
    chooser_->launchAsync (juce::FileBrowserComponent::saveMode | juce::FileBrowserComponent::canSelectFiles |
                               juce::FileBrowserComponent::warnAboutOverwriting,
                           [this] (const juce::FileChooser& chooser)
                           {
                               if (const auto file = chooser.getResult(); file != juce::File())
                                   keep (file.withFileExtension ("wav"));
                           });
}

void TakeCard::refresh()
{
    const auto task = processor_.task_status();
    take_->setEnabled (!task.is_running);
    save_as_->setEnabled (!task.is_running);
    const bool is_ready = wanted_ != juce::File() && !task.is_running && wanted_.existsAsFile();
    tile_->set (is_ready ? wanted_ : juce::File());
}

void TakeCard::paint (juce::Graphics& g)
{
    theme::draw_card (g, getLocalBounds(), "TAKES");
    g.setColour (theme::dim);
    g.setFont (theme::font (theme::title_height));
    auto area = theme::inside_card (getLocalBounds());
    g.drawFittedText (
        "What this instance plays is kept for 10 minutes. A take is a WAV file of the last part of "
        "it, with its notes beside it as a MIDI file.",
        area.removeFromTop (40), juce::Justification::topLeft, 2, 1.0f);
    g.setColour (theme::text);
    g.drawText ("The last", area.withTrimmedTop (8).removeFromTop (28), juce::Justification::centredLeft);
}

void TakeCard::resized()
{
    auto area = theme::inside_card (getLocalBounds());
    area.removeFromTop (48);
    length_.setBounds (area.removeFromTop (28).withTrimmedLeft (64));
    area.removeFromTop (14);
    auto buttons = area.removeFromTop (34);
    take_->setBounds (buttons.removeFromLeft (buttons.getWidth() / 2 - 4));
    buttons.removeFromLeft (8);
    save_as_->setBounds (buttons);
    area.removeFromTop (16);
    tile_->setBounds (area);
}

} // namespace bandmate::plugin

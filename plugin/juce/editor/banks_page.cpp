// SPDX-License-Identifier: GPL-3.0-or-later
#include "banks_page.hpp"

#include "../processor.hpp"

namespace bandmate::plugin
{

namespace
{

const juce::String suffix = ".safetensors";

} // namespace

BanksPage::BanksPage (Processor& processor) : processor_ (processor), takes_ (processor)
{
    banks_.on_open = [this] (const juce::String& name)
    {
        arm (name);
    };
    banks_.on_select = [this]
    {
        refresh();
    };
    addAndMakeVisible (banks_);
    describe (name_, "Name of the bank",
              "The name under which the music as it is now is saved. Return saves it.");
    name_.setTextToShowWhenEmpty ("name of a new bank", theme::dim.withAlpha (0.7f));
    name_.setFont (theme::font (theme::text_height));
    name_.setIndents (10, 0);
    name_.setJustification (juce::Justification::centredLeft);
    name_.onReturnKey = [this]
    {
        save();
    };
    addAndMakeVisible (name_);
    save_ = make_button ("Save now", "Saves the point where the music is now as a bank.", [this] { save(); });
    arm_ = make_button ("Arm",
                        "A restart, and each start of the transport with Restart on Play, begins with the "
                        "chosen bank.",
                        [this] { arm (banks_.selected()); });
    reset_ = make_button ("Reset", "Goes to the armed bank now; without one, begins afresh.",
                          [this] { processor_.reset_to_bank(); });
    empty_ = make_button ("Empty", "No bank is armed: a restart begins afresh.",
                          [this]
                          {
                              processor_.clear_bank();
                              refresh();
                          });
    remove_ = make_button ("Delete", "Deletes the chosen bank's file.",
                           [this]
                           {
                               file_of (banks_.selected()).deleteFile();
                               refresh();
                           });
    for (auto* button : {save_.get(), arm_.get(), reset_.get(), empty_.get(), remove_.get()})
        addAndMakeVisible (button);
    addAndMakeVisible (takes_);
    refresh();
}

juce::File BanksPage::file_of (const juce::String& name) const
{
    return Processor::banks_folder().getChildFile (name + suffix);
}

void BanksPage::refresh()
{
    juce::StringArray names;
    for (const auto& file :
         Processor::banks_folder().findChildFiles (juce::File::findFiles, false, "*" + suffix))
        names.add (file.getFileNameWithoutExtension());
    names.sortNatural();
    const auto armed = processor_.session().bank;
    const auto armed_file = juce::File (juce::String::fromUTF8 (armed.c_str()));
    auto armed_name = armed.empty() ? juce::String() : armed_file.getFileNameWithoutExtension();
    if (!armed.empty() && !names.contains (armed_name))
        names.add (armed_name); // one that lies elsewhere, or is missing: it is armed all the same
    banks_.set (names, armed_name);
    const bool is_chosen = banks_.selected().isNotEmpty();
    arm_->setEnabled (is_chosen);
    remove_->setEnabled (is_chosen && file_of (banks_.selected()).existsAsFile());
    empty_->setEnabled (!armed.empty());
    const bool is_free = !processor_.task_status().is_running;
    save_->setEnabled (is_free);
    reset_->setEnabled (is_free);
    takes_.refresh();
}

void BanksPage::save()
{
    auto name = juce::File::createLegalFileName (name_.getText().trim());
    if (name.isEmpty())
        name = juce::Time::getCurrentTime().formatted ("bank %Y-%m-%d %H.%M.%S");
    processor_.save_bank (file_of (name));
    name_.clear();
}

void BanksPage::arm (const juce::String& name)
{
    if (name.isNotEmpty() && file_of (name).existsAsFile())
        processor_.arm_bank (file_of (name));
    refresh();
}

juce::Rectangle<int> BanksPage::banks_area() const
{
    return getLocalBounds().removeFromLeft (getWidth() / 2 - theme::gap / 2);
}

void BanksPage::paint (juce::Graphics& g)
{
    theme::draw_card (g, banks_area(), "BANKS");
}

void BanksPage::resized()
{
    takes_.setBounds (getLocalBounds().withTrimmedLeft (banks_area().getWidth() + theme::gap));
    auto area = theme::inside_card (banks_area());
    auto saving = area.removeFromBottom (32);
    save_->setBounds (saving.removeFromRight (110));
    saving.removeFromRight (8);
    name_.setBounds (saving);
    area.removeFromBottom (8);
    auto buttons = area.removeFromBottom (32);
    juce::TextButton* all[] = {arm_.get(), reset_.get(), empty_.get(), remove_.get()};
    const int width = (buttons.getWidth() - 3 * 8) / 4;
    for (auto* button : all)
    {
        button->setBounds (buttons.removeFromLeft (width));
        buttons.removeFromLeft (8);
    }
    area.removeFromBottom (8);
    banks_.setBounds (area);
}

} // namespace bandmate::plugin

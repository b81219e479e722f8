// SPDX-License-Identifier: Apache-2.0
#include "http2/channel.h"

#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace understudy {
namespace {

constexpr int32_t kWindow = 1 << 30;
constexpr size_t kBlock = 256 << 10;
constexpr size_t kMaxIncoming = 16u << 20;  // longest message that is read
constexpr auto kSilence = std::chrono::seconds(20);
constexpr auto kGreeting = std::chrono::seconds(10);  // a service greets before it is asked anything

}  // namespace

struct Channel::Hooks {
  static Call *call(nghttp2_session *session, int32_t id) {
    return static_cast<Call *>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                    const uint8_t *value, size_t value_size, uint8_t, void *) {
    Call *on = call(session, frame->hd.stream_id);
    if (on != nullptr && on->headers_.size() < 64)
      on->headers_[std::string(reinterpret_cast<const char *>(name), name_size)] =
          std::string(reinterpret_cast<const char *>(value), value_size);
    return 0;
  }

  static int data(nghttp2_session *session, uint8_t, int32_t id, const uint8_t *bytes, size_t size, void *) {
    Call *on = call(session, id);
    if (on == nullptr) return 0;
    try {
      on->take({reinterpret_cast<const char *>(bytes), size});
    } catch (...) {
      return NGHTTP2_ERR_CALLBACK_FAILURE;  // no exception may pass through C
    }
    return 0;
  }

  static int close(nghttp2_session *session, int32_t id, uint32_t error, void *) {
    if (Call *on = call(session, id)) {
      on->closed_ = true;
      on->error_ = error;
    }
    return 0;
  }

  static ssize_t read(nghttp2_session *, int32_t, uint8_t *to, size_t room, uint32_t *flags, nghttp2_data_source *source,
                      void *) {
    auto *on = static_cast<Call *>(source->ptr);
    bool end = false;
    const size_t size = on->fill(to, room, end);
    if (end) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (size == 0 && !end) {
      on->deferred_ = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(size);
  }

  static ssize_t length(nghttp2_session *, uint8_t, int32_t, int32_t session_window, int32_t stream_window,
                        uint32_t largest, void *) {
    return std::min({static_cast<int64_t>(session_window), static_cast<int64_t>(stream_window),
                     static_cast<int64_t>(largest), static_cast<int64_t>(kBlock)});
  }
};

Channel::Channel(const Address &address, Patience &patience)
    : address_(address), socket_(connect_to(address, patience)), incoming_(kBlock), heard_(Patience::Clock::now()) {
  nghttp2_session_callbacks *hooks = nullptr;
  if (nghttp2_session_callbacks_new(&hooks) != 0) lost("no memory");
  nghttp2_session_callbacks_set_on_header_callback(hooks, Hooks::header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(hooks, Hooks::data);
  nghttp2_session_callbacks_set_on_stream_close_callback(hooks, Hooks::close);
  nghttp2_session_callbacks_set_data_source_read_length_callback(hooks, Hooks::length);
  const int failed = nghttp2_session_client_new(&session_, hooks, this);
  nghttp2_session_callbacks_del(hooks);
  if (failed != 0) lost("no memory");
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindow},
                                             {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1 << 20}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 3);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kWindow);
}

Channel::~Channel() {
  if (session_ == nullptr) return;
  if (!dead_) {
    try {
      nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
      write();
    } catch (const Trouble &) {
      // The service is gone already.
    }
  }
  nghttp2_session_del(session_);
}

void Channel::lost(const char *why) {
  dead_ = true;
  throw Trouble{"ConnectionLost", std::string("the connection to the Understudy service broke: ") + why, address_.text(),
                "render again; if it happens again, look at the service's log"};
}

bool Channel::alive() {
  if (dead_) return false;
  try {
    while (read()) {
    }
    write();
  } catch (const Trouble &) {
    return false;
  }
  return nghttp2_session_check_request_allowed(session_) != 0;
}

void Channel::write() {
  while (true) {
    while (outgoing_.size() < kBlock) {
      const uint8_t *bytes = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
      if (size < 0) lost("HTTP/2 failed");
      if (size == 0) break;
      outgoing_.insert(outgoing_.end(), bytes, bytes + size);
    }
    if (outgoing_.empty()) return;
    const ssize_t sent = send(socket_.get(), outgoing_.data() + written_, outgoing_.size() - written_, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      lost("it was closed");
    }
    written_ += static_cast<size_t>(sent);
    if (written_ < outgoing_.size()) return;
    outgoing_.clear();
    written_ = 0;
    return;  // one block at a time, so that reading and aborting get their turn
  }
}

bool Channel::read() {
  const ssize_t size = recv(socket_.get(), incoming_.data(), incoming_.size(), 0);
  if (size < 0) {
    if (errno == EAGAIN || errno == EINTR) return false;
    lost("it was closed");
  }
  if (size == 0) lost("the service has gone");
  heard_ = Patience::Clock::now();
  if (nghttp2_session_mem_recv(session_, incoming_.data(), static_cast<size_t>(size)) < 0 ||
      (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0))
    lost("what answers there is no Understudy service");
  answered_ = true;
  return true;
}

void Channel::beat() {
  const auto now = Patience::Clock::now();
  if (!answered_ && now - heard_ > kGreeting) lost("what listens there says nothing");
  if (now - heard_ < kSilence) return;
  if (pinged_ < heard_) {
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    pinged_ = now;
  } else if (now - pinged_ > kSilence) {
    lost("it no longer answers");
  }
}

void Channel::step(Patience &patience) {
  if (dead_) lost("it was closed");
  patience.check();
  beat();
  write();
  if (read()) return;
  const bool more = !outgoing_.empty() || nghttp2_session_want_write(session_) != 0;
  pollfd wait{socket_.get(), static_cast<short>(POLLIN | (more ? POLLOUT : 0)), 0};
  poll(&wait, 1, Patience::kPollMs);
  if (patience.over()) throw Trouble{"UnavailableError", "the Understudy service does not answer", address_.text(), "is it busy?"};
}

Call::Call(Channel &channel, const char *method, const std::string &token) : channel_(channel) {
  const std::string path = std::string("/understudy.v1.Understudy/") + method;
  const std::string bearer = "Bearer " + token;
  const std::pair<const char *, std::string> fields[] = {{":method", "POST"},
                                                         {":scheme", "http"},
                                                         {":path", path},
                                                         {":authority", "localhost"},
                                                         {"content-type", "application/grpc"},
                                                         {"te", "trailers"},
                                                         {"user-agent", "understudy-ofx"},
                                                         {"authorization", bearer}};
  std::vector<nghttp2_nv> head;
  for (const auto &[name, value] : fields) {
    if (token.empty() && std::strcmp(name, "authorization") == 0) continue;
    const auto bytes = [](const char *text) { return reinterpret_cast<uint8_t *>(const_cast<char *>(text)); };
    head.push_back({bytes(name), bytes(value.c_str()), std::strlen(name), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  nghttp2_data_provider source{};
  source.source.ptr = this;
  source.read_callback = Channel::Hooks::read;
  id_ = nghttp2_submit_request(channel_.session_, nullptr, head.data(), head.size(), &source, this);
  if (id_ < 0) channel_.lost("it takes no more calls");
}

Call::~Call() {
  nghttp2_session_set_stream_user_data(channel_.session_, id_, nullptr);
  if (closed_ || channel_.dead_) return;
  nghttp2_submit_rst_stream(channel_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
  try {
    channel_.write();
  } catch (const Trouble &) {
    // The service is gone already.
  }
}

void Call::send(std::string head, const void *body, size_t size) {
  const uint64_t length = head.size() + size;
  std::string prefix(1, '\0');  // not compressed
  for (int shift = 24; shift >= 0; shift -= 8) prefix.push_back(static_cast<char>(length >> shift));
  Piece first;
  first.own = std::move(prefix) + head;
  first.size = first.own.size();
  out_.push_back(std::move(first));
  if (size != 0) out_.push_back({{}, static_cast<const char *>(body), size});
  if (deferred_) nghttp2_session_resume_data(channel_.session_, id_);
  deferred_ = false;
}

void Call::finish() {
  finished_ = true;
  if (deferred_) nghttp2_session_resume_data(channel_.session_, id_);
  deferred_ = false;
}

size_t Call::fill(unsigned char *to, size_t room, bool &end) {
  size_t filled = 0;
  while (filled < room && !out_.empty()) {
    const Piece &piece = out_.front();
    const char *from = piece.data != nullptr ? piece.data : piece.own.data();
    const size_t size = std::min(room - filled, piece.size - out_offset_);
    std::memcpy(to + filled, from + out_offset_, size);
    filled += size;
    out_offset_ += size;
    if (out_offset_ == piece.size) {
      out_.pop_front();
      out_offset_ = 0;
    }
  }
  end = out_.empty() && finished_;
  return filled;
}

void Call::take(std::string_view bytes) {
  constexpr size_t kPrefix = 5;
  while (!bytes.empty()) {
    size_t wanted = kPrefix;
    if (in_.size() >= kPrefix) {
      uint32_t length = 0;
      for (size_t i = 1; i < kPrefix; ++i) length = length << 8 | static_cast<uint8_t>(in_[i]);
      if (in_[0] != 0 || length > kMaxIncoming) throw malformed("a message that was not asked for");
      wanted += length;
      in_.reserve(wanted);
    }
    const size_t size = std::min(bytes.size(), wanted - in_.size());
    in_.append(bytes.data(), size);
    bytes.remove_prefix(size);
    if (in_.size() < kPrefix || in_.size() < wanted) continue;
    uint32_t length = 0;
    for (size_t i = 1; i < kPrefix; ++i) length = length << 8 | static_cast<uint8_t>(in_[i]);
    if (in_.size() == kPrefix + length) {
      messages_.push_back(std::move(in_));
      in_.clear();
    }
  }
}

bool Call::receive(std::string &message, Patience &patience) {
  while (messages_.empty() && !closed_) channel_.step(patience);
  if (!messages_.empty()) {
    message = std::move(messages_.front());
    messages_.pop_front();
    message.erase(0, 5);
    return true;
  }
  if (headers_.count("grpc-status") == 0) channel_.lost("the call broke off");
  if (grpc_code(headers_) != kGrpcOk) throw trouble_from_trailers(headers_);
  return false;
}

void Call::flush(Patience &patience) {
  while (!out_.empty() && !closed_) channel_.step(patience);
}

}  // namespace understudy

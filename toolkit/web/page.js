// What the page does in the browser beside Gradio: upload, film, ask how far the job is, and compare two videos.
(() => {
  let version = null, timer = null;

  // What did not change stays as it is: text can be selected in it, and a reader of the screen does not read it out again.
  function show(panel, html) {
    if (panel && panel.shown !== html) panel.innerHTML = panel.shown = html;
  }

  function wrong(words) {
    show(document.getElementById('hvt-job'), `<p class="hvt-error" role="alert">${words}</p>`);
  }

  async function look() {
    clearTimeout(timer);
    let wait = 3000;
    if (navigator.cookieEnabled === false) {
      wrong('This page knows you by a cookie: allow cookies for it.');
      timer = setTimeout(look, wait);
      return;
    }
    try {
      const answer = await fetch('/hvt/status', {cache: 'no-store'});
      if (!answer.ok) throw new Error(answer.status);
      const status = await answer.json();
      const panel = document.getElementById('hvt-job');
      if (panel) {
        show(panel, status.html);
        const button = document.getElementById('hvt-refresh');
        if (version !== null && status.version !== version && button) (button.querySelector('button') || button).click();
        version = status.version;
      }
      wait = panel ? status.busy ? 700 : 3000 : 100;
    } catch (error) {
      wrong('The server does not answer. Is it still running?');
    }
    timer = setTimeout(look, wait);
  }
  window.hvtLook = look;

  function send(box, blob, name) {
    const bar = box.querySelector('progress'), said = box.querySelector('.hvt-upload-said');
    const start = box.querySelector('.hvt-start');
    const request = new XMLHttpRequest();
    const query = new URLSearchParams({role: box.dataset.role, name, start: start && start.value || '0'});
    request.open('POST', '/hvt/upload?' + query);
    request.upload.onprogress = e => { bar.hidden = false; bar.max = e.total; bar.value = e.loaded; };
    request.onerror = () => { bar.hidden = true; said.textContent = 'The upload broke off: the server refused it or does not answer.'; };
    request.onload = () => {
      bar.hidden = true;
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch (error) { answer.error = request.responseText; }
      said.textContent = answer.error || '';
      said.className = 'hvt-upload-said' + (answer.error ? ' hvt-error' : '');
      look();
    };
    said.textContent = '';
    const most = Number(box.dataset.most);
    if (blob.size > most * 1e6) {
      said.textContent = `${name} has ${Math.round(blob.size / 1e6)} MB, at most ${most} MB can be taken; cut it or make it smaller`;
      said.className = 'hvt-upload-said hvt-error';
      return;
    }
    request.send(blob);
  }

  const cameras = new WeakMap();

  async function film(box) {
    const said = box.querySelector('.hvt-upload-said'), view = box.querySelector('video'), button = box.querySelector('.hvt-film');
    const running = cameras.get(box);
    if (running) { running.stop(); return; }
    let stream, recorder;
    button.disabled = true;  // a second click while the browser asks would film twice
    try {
      stream = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480}, audio: false});
      view.srcObject = stream; view.hidden = false; await view.play();
      recorder = new MediaRecorder(stream);
    } catch (error) {
      if (stream) stream.getTracks().forEach(track => track.stop());
      view.hidden = true; view.srcObject = null;
      said.textContent = `The camera cannot be used (${error.name}). Browsers allow it on this machine or over https only.`;
      said.className = 'hvt-upload-said hvt-error';
      return;
    } finally {
      button.disabled = false;
    }
    said.textContent = '';
    const parts = [];
    const limit = setTimeout(() => recorder.state !== 'inactive' && recorder.stop(), 1000 * Number(box.dataset.seconds));
    recorder.ondataavailable = e => e.data.size && parts.push(e.data);
    recorder.onstop = () => {
      clearTimeout(limit);
      stream.getTracks().forEach(track => track.stop());
      cameras.delete(box); view.hidden = true; view.srcObject = null; button.textContent = 'film';
      send(box, new Blob(parts, {type: recorder.mimeType}), 'filmed.webm');
    };
    recorder.start(500);
    cameras.set(box, recorder);
    button.textContent = 'stop';
  }

  // Live: pictures of the camera go to the server by a socket, each with the time when it was taken, and come back painted.
  let call = null;
  const KEPT = 60, FLYING = 3, SIDE = 480;

  function middle(values, share) {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  }

  window.hvtLiveStop = () => call && call.end('');
  window.hvtLiveAgain = () => call && call.socket && call.socket.readyState === WebSocket.OPEN && call.socket.send('again');
  window.hvtLive = async wish => {
    if (call) return;
    const box = document.getElementById('hvt-live'), said = box.querySelector('.hvt-live-said');
    const video = box.querySelector('video'), picture = box.querySelector('.hvt-live-picture');
    const canvas = picture.querySelector('canvas'), figures = picture.querySelector('.hvt-tag');
    const grab = document.createElement('canvas'), shown = [];
    let stream = null, flying = [], last = 0, ready = false;

    function say(words, wrong) {
      said.textContent = words;
      said.className = 'hvt-live-said hvt-note' + (wrong ? ' hvt-error' : '');
    }
    const mine = call = {socket: null, end(words, wrong) {
      if (call !== mine) return;
      call = null;
      if (stream) stream.getTracks().forEach(track => track.stop());
      video.hidden = true; video.srcObject = null;
      if (mine.socket) mine.socket.close();
      say(words || 'Stopped.', wrong);
      look();
    }};
    say('Waiting for the camera ...');
    try {
      stream = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480, frameRate: 30}, audio: false});
      video.srcObject = stream;
      await video.play();
    } catch (error) {
      mine.end(`The camera cannot be used (${error.name}). Browsers allow it on this machine or over https only.`, true);
      return;
    }
    if (call !== mine) { stream.getTracks().forEach(track => track.stop()); return; }
    stream.getTracks().forEach(track => { track.onended = () => mine.end('The camera was taken away.', true); });
    video.hidden = false;
    say('Getting ready ...');

    function take(now, about) {
      if (call !== mine) return;
      video.requestVideoFrameCallback(take);
      const late = now - last > 500;
      if (!ready || mine.socket.bufferedAmount > 0 || flying.length >= FLYING && !late) return;
      if (late) flying = [];
      const stamp = about.captureTime || now, scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
      last = now;
      flying.push(stamp);
      grab.width = Math.round(scale * video.videoWidth); grab.height = Math.round(scale * video.videoHeight);
      grab.getContext('2d').drawImage(video, 0, 0, grab.width, grab.height);
      grab.toBlob(async blob => {
        const bytes = new Uint8Array(8 + blob.size);
        new DataView(bytes.buffer).setFloat64(0, stamp, true);
        bytes.set(new Uint8Array(await blob.arrayBuffer()), 8);
        if (call === mine) mine.socket.send(bytes);
      }, 'image/jpeg', .85);
    }

    const socket = mine.socket = new WebSocket(location.href.replace(/^http/, 'ws').replace(/[?#].*/, '').replace(/\/?$/, '/hvt/live'));
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => { socket.send(JSON.stringify(wish)); look(); };
    socket.onclose = () => mine.end('The connection was lost.', true);
    socket.onmessage = async message => {
      if (typeof message.data === 'string') {
        const answer = JSON.parse(message.data);
        if (answer.ready) {
          ready = true;
          say('Live. Show your whole body.');
          video.requestVideoFrameCallback(take);
        } else mine.end(answer.said, answer.state === 'failed');
        return;
      }
      const stamp = new DataView(message.data).getFloat64(0, true);
      const image = await createImageBitmap(new Blob([message.data.slice(8)], {type: 'image/jpeg'}));
      flying = flying.filter(other => other > stamp);
      picture.hidden = false;
      canvas.width = image.width; canvas.height = image.height;
      canvas.getContext('2d').drawImage(image, 0, 0);
      const now = performance.now();
      shown.push([now, now - stamp]);
      if (shown.length > KEPT) shown.shift();
      if (shown.length < 2) return;
      const rate = 1000 * (shown.length - 1) / (now - shown[0][0]), waits = shown.map(one => one[1]);
      figures.textContent = `${rate.toFixed(0)} fps  ${middle(waits, .5).toFixed(0)} ms  95%: ${middle(waits, .95).toFixed(0)} ms`;
    };
  };

  document.addEventListener('change', e => {
    const box = e.target.closest && e.target.closest('.hvt-upload');
    if (box && e.target.type === 'file' && e.target.files.length) {
      send(box, e.target.files[0], e.target.files[0].name);
      e.target.value = '';
    }
  });
  document.addEventListener('input', e => {
    if (e.target.classList.contains('hvt-cut')) e.target.closest('.hvt-compare').style.setProperty('--cut', e.target.value + '%');
  });
  document.addEventListener('click', e => {
    if (e.target.classList.contains('hvt-film')) film(e.target.closest('.hvt-upload'));
    if (e.target.classList.contains('hvt-lay')) e.target.closest('.hvt-compare').classList.toggle('hvt-beside');
    if (e.target.classList.contains('hvt-play')) {
      const under = e.target.closest('.hvt-compare').querySelector('.hvt-under');
      if (under.paused) under.play(); else under.pause();
    }
  });
  // Events of media do not bubble, but they can be caught on their way down. The upper video follows the lower one.
  for (const kind of ['play', 'pause', 'seeking', 'timeupdate']) {
    document.addEventListener(kind, e => {
      if (!e.target.classList || !e.target.classList.contains('hvt-under')) return;
      const over = e.target.parentElement.querySelector('.hvt-over');
      if (kind === 'play') over.play();
      if (kind === 'pause') over.pause();
      if (Math.abs(over.currentTime - e.target.currentTime) > (kind === 'timeupdate' ? .08 : .001)) over.currentTime = e.target.currentTime;
    }, true);
  }
  document.addEventListener('canplay', e => {
    if (e.target.classList && e.target.classList.contains('hvt-under') && !e.target.dataset.seen) {
      e.target.dataset.seen = '1';
      e.target.play().catch(() => {});
    }
  }, true);
  look();
})();
